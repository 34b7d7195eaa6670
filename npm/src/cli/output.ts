/**
 * What commands print: facts on stdout, remarks on stderr, one JSON document under `--json`.
 *
 * Rules: stdout is written synchronously through its descriptor (so that nothing is lost when the
 * process ends, and a closed pipe is seen at once as {@link OutputClosed}); names are bytes and are
 * shown without control characters on a terminal; colour only where a person looks.
 */
import { isUtf8 } from 'node:buffer';
import * as fs from 'node:fs';
import * as tty from 'node:tty';

import { oneLine, OutputClosed } from './failure.js';

/** The options every command has. */
export interface CommonOptions {
  json?: boolean;
  quiet?: boolean;
  color?: string;
}

export type Paint = (text: string) => string;

/** Colours by purpose; plain text where colour is off. */
export interface Palette {
  directory: Paint;
  link: Paint;
  executable: Paint;
  special: Paint;
  strong: Paint;
  faint: Paint;
  good: Paint;
  bad: Paint;
  warn: Paint;
  zone: (zone: string) => Paint;
}

const STDOUT = 1;
const STDERR = 2;

export class Output {
  readonly json: boolean;
  readonly quiet: boolean;
  /** True when stdout is a terminal. */
  readonly terminal: boolean;
  /** Columns of the terminal, 80 when unknown. */
  readonly columns: number;
  readonly paint: Palette;

  constructor(options: CommonOptions) {
    this.json = options.json ?? false;
    this.quiet = options.quiet ?? false;
    this.terminal = tty.isatty(STDOUT);
    this.columns = this.terminal ? (process.stdout.columns ?? 80) : 80;
    this.paint = palette(!this.json && wantsColour(options.color, this.terminal));
  }

  /** A line of facts on stdout; nothing under `--json`. */
  line(text = ''): void {
    if (!this.json) writeAll(STDOUT, Buffer.from(`${text}\n`));
  }

  /** Raw bytes on stdout. */
  bytes(data: Uint8Array): void {
    writeAll(STDOUT, data);
  }

  /** The one JSON document on stdout. */
  document(value: unknown): void {
    writeAll(STDOUT, Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`));
  }

  /** What was done, on stderr, for people; silent with `--quiet` and `--json`. */
  done(text: string): void {
    if (!this.quiet && !this.json) writeError(text);
  }

  /** A remark on stderr that `--quiet` silences. */
  note(text: string): void {
    if (!this.quiet) writeError(`aetherflow: ${oneLine(text)}`);
  }

  /** A warning on stderr: something was left out. Printed even with `--quiet`. */
  warn(text: string): void {
    writeError(`aetherflow: ${oneLine(text)}`);
  }

  /** A name or path as it may be shown: raw bytes in a pipe, escaped on a terminal. */
  name(bytes: Uint8Array | string): string {
    const text = displayName(bytes);
    return this.terminal ? oneLine(text) : text;
  }
}

/** Writes a line to stderr; a closed stderr is nobody's loss. */
export function writeError(text: string): void {
  try {
    writeAll(STDERR, Buffer.from(`${text}\n`));
  } catch (error) {
    if (!(error instanceof OutputClosed)) throw error;
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4));

/** Writes all of `data`, waiting where the descriptor is non-blocking. */
export function writeAll(descriptor: number, data: Uint8Array): void {
  let written = 0;
  while (written < data.length) {
    try {
      written += fs.writeSync(descriptor, data, written, data.length - written);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EAGAIN') {
        Atomics.wait(pause, 0, 0, 2);
      } else if (code === 'EPIPE') {
        throw new OutputClosed();
      } else {
        throw error;
      }
    }
  }
}

/** A name as text; bytes that are not UTF-8 appear as `\xNN`. */
export function displayName(bytes: Uint8Array | string): string {
  if (typeof bytes === 'string') return bytes;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (isUtf8(buffer)) return buffer.toString('utf8');
  let text = '';
  let start = 0;
  while (start < buffer.length) {
    const length = validLength(buffer, start);
    if (length === 0) {
      text += `\\x${(buffer[start] ?? 0).toString(16).padStart(2, '0')}`;
      start += 1;
    } else {
      text += buffer.toString('utf8', start, start + length);
      start += length;
    }
  }
  return text;
}

/** Length of the UTF-8 sequence at `start`, 0 when there is none. */
function validLength(buffer: Buffer, start: number): number {
  for (let length = 1; length <= 4 && start + length <= buffer.length; length += 1) {
    if (isUtf8(buffer.subarray(start, start + length))) return length;
  }
  return 0;
}

/** JSON fields of a path: `path`, and `pathBase64` where the bytes are not UTF-8. */
export function pathFields(bytes: Uint8Array): { path: string; pathBase64?: string } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const path = buffer.toString('utf8');
  return isUtf8(buffer) ? { path } : { path, pathBase64: buffer.toString('base64') };
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** A byte count for people: `0 B`, `1023 B`, `1.5 KiB`, `12 MiB`. */
export function humanSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1023.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit] ?? ''}`;
}

/** A count with thin groups: `31,000`. */
export function humanCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/gu, ',');
}

/** `1 file`, `2 files`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${humanCount(count)} ${count === 1 ? one : many}`;
}

/** Seconds for people: `0.8 s`, `12 s`, `3:05`. */
export function humanDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 99.5) return `${seconds.toFixed(0)} s`;
  const minutes = Math.floor(seconds / 60);
  const rest = Math.floor(seconds % 60);
  if (minutes < 60) return `${String(minutes)}:${String(rest).padStart(2, '0')}`;
  const hours = Math.floor(minutes / 60);
  return `${String(hours)}:${String(minutes % 60).padStart(2, '0')}:${String(rest).padStart(2, '0')}`;
}

/** Local date and time to the second: `2025-11-20 10:42:02`. */
export function humanTime(milliseconds: number): string {
  const date = new Date(milliseconds);
  if (Number.isNaN(date.getTime())) return String(milliseconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${String(date.getFullYear())}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** A bar of `width` cells filled to `share` (0..1). */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  const shown = share > 0 ? Math.max(1, eighths) : 0;
  const full = Math.floor(shown / 8);
  const rest = shown % 8;
  const partial = rest === 0 ? '' : (['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][rest] ?? '');
  return ('█'.repeat(full) + partial).padEnd(width);
}

/** Aligned rows without borders. */
export async function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  alignment: readonly ('left' | 'right')[],
  paint: Palette,
): Promise<string> {
  const { default: Table } = await import('cli-table3');
  const none = '';
  const made = new Table({
    head: head.map((title) => paint.strong(title)),
    colAligns: [...alignment],
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    chars: {
      top: none,
      'top-mid': none,
      'top-left': none,
      'top-right': none,
      bottom: none,
      'bottom-mid': none,
      'bottom-left': none,
      'bottom-right': none,
      left: none,
      'left-mid': none,
      mid: none,
      'mid-mid': none,
      right: none,
      'right-mid': none,
      middle: '  ',
    },
  });
  for (const row of rows) made.push([...row]);
  return made
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

function wantsColour(option: string | undefined, terminal: boolean): boolean {
  if (option === 'always') return true;
  if (option === 'never') return false;
  const force = process.env['FORCE_COLOR'];
  if (force !== undefined && force !== '') return force !== '0' && force !== 'false';
  const no = process.env['NO_COLOR'];
  if (no !== undefined && no !== '') return false;
  return terminal && process.env['TERM'] !== 'dumb';
}

function palette(on: boolean): Palette {
  const code =
    (start: number, end: number): Paint =>
    (text) =>
      on && text !== '' ? `\u001b[${String(start)}m${text}\u001b[${String(end)}m` : text;
  const zones: Readonly<Record<string, Paint>> = {
    hot: code(31, 39),
    warm: code(33, 39),
    temperate: code(32, 39),
    cool: code(36, 39),
    cold: code(34, 39),
  };
  const plain: Paint = (text) => text;
  return {
    directory: code(34, 39),
    link: code(36, 39),
    executable: code(32, 39),
    special: code(35, 39),
    strong: code(1, 22),
    faint: code(2, 22),
    good: code(32, 39),
    bad: code(31, 39),
    warn: code(33, 39),
    zone: (zone) => zones[zone] ?? plain,
  };
}
