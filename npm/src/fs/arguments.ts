/**
 * Checks and conversions of what callers pass: paths, flags, modes, times, encodings, buffers.
 * Everything here throws Node's own argument errors and touches no map.
 */

import * as nodeFs from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Bytes } from '../gate.js';
import { invalidArgument, invalidValue, outOfRange } from '../errors.js';

/** Linux open flags: what the engine takes. */
export const O = {
  WRONLY: 0o1,
  RDWR: 0o2,
  ACCMODE: 0o3,
  CREAT: 0o100,
  EXCL: 0o200,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  DSYNC: 0o10000,
  DIRECTORY: 0o200000,
  NOFOLLOW: 0o400000,
  SYNC: 0o4010000,
} as const;

/** A path after checking: text, or bytes for names that are not UTF-8. */
export type CheckedPath = string | Uint8Array;

/** A path as `node:fs` takes it; "file:" URLs name paths inside the map. */
export function checkPath(path: unknown, name = 'path'): CheckedPath {
  if (typeof path === 'string') {
    if (path.includes('\0')) throw nullByte(name, path);
    return path;
  }
  if (path instanceof URL) return checkPath(fileURLToPath(path), name);
  if (path instanceof Uint8Array) {
    if (path.includes(0)) throw nullByte(name, path);
    return path;
  }
  throw invalidArgument(name, 'of type string or an instance of Buffer or URL', path);
}

function nullByte(name: string, path: unknown): TypeError {
  return invalidValue(
    name,
    'must be a string, Uint8Array, or URL without null bytes',
    typeof path === 'string' ? path : Buffer.from(path as Uint8Array).toString(),
  );
}

const FLAGS: Readonly<Record<string, number>> = {
  r: 0,
  rs: O.SYNC,
  sr: O.SYNC,
  'r+': O.RDWR,
  'rs+': O.RDWR | O.SYNC,
  'sr+': O.RDWR | O.SYNC,
  w: O.WRONLY | O.CREAT | O.TRUNC,
  wx: O.WRONLY | O.CREAT | O.TRUNC | O.EXCL,
  xw: O.WRONLY | O.CREAT | O.TRUNC | O.EXCL,
  'w+': O.RDWR | O.CREAT | O.TRUNC,
  'wx+': O.RDWR | O.CREAT | O.TRUNC | O.EXCL,
  'xw+': O.RDWR | O.CREAT | O.TRUNC | O.EXCL,
  a: O.WRONLY | O.CREAT | O.APPEND,
  ax: O.WRONLY | O.CREAT | O.APPEND | O.EXCL,
  xa: O.WRONLY | O.CREAT | O.APPEND | O.EXCL,
  as: O.WRONLY | O.CREAT | O.APPEND | O.SYNC,
  sa: O.WRONLY | O.CREAT | O.APPEND | O.SYNC,
  'a+': O.RDWR | O.CREAT | O.APPEND,
  'ax+': O.RDWR | O.CREAT | O.APPEND | O.EXCL,
  'xa+': O.RDWR | O.CREAT | O.APPEND | O.EXCL,
  'as+': O.RDWR | O.CREAT | O.APPEND | O.SYNC,
  'sa+': O.RDWR | O.CREAT | O.APPEND | O.SYNC,
};

/** Numeric flags are the host's (`fs.constants`); this says which Linux bit each one means. */
const HOST_FLAGS: readonly (readonly [host: number, linux: number])[] = (() => {
  const host = nodeFs.constants as Partial<Record<string, number>>;
  return [
    [host.O_CREAT ?? 0, O.CREAT],
    [host.O_EXCL ?? 0, O.EXCL],
    [host.O_TRUNC ?? 0, O.TRUNC],
    [host.O_APPEND ?? 0, O.APPEND],
    [host.O_DSYNC ?? 0, O.DSYNC],
    [host.O_SYNC ?? 0, O.SYNC],
    [host.O_DIRECTORY ?? 0, O.DIRECTORY],
    [host.O_NOFOLLOW ?? 0, O.NOFOLLOW],
  ] as const;
})();

/** Open flags as Linux bits. */
export function checkFlags(flags: unknown, fallback = 0): number {
  if (flags === undefined || flags === null) return fallback;
  if (typeof flags === 'string') {
    const known = FLAGS[flags];
    if (known === undefined) throw invalidValue('flags', 'is invalid', flags);
    return known;
  }
  const number = checkInteger(flags, 'flags', -(2 ** 31), 2 ** 31 - 1);
  if (process.platform === 'linux') return number;
  let linux = number & O.ACCMODE;
  for (const [host, bit] of HOST_FLAGS) if (host !== 0 && (number & host) === host) linux |= bit;
  return linux;
}

/** An integer within `low..high`. */
export function checkInteger(
  value: unknown,
  name: string,
  low: number = Number.MIN_SAFE_INTEGER,
  high: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value !== 'number') throw invalidArgument(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < low || value > high) throw outOfRange(name, `>= ${low} && <= ${high}`, value);
  return value;
}

/** A mode: a number or an octal string. */
export function checkMode(mode: unknown, name: string, fallback?: number): number {
  if ((mode === undefined || mode === null) && fallback !== undefined) return fallback;
  if (typeof mode === 'string') {
    if (!/^[0-7]+$/.test(mode)) {
      throw invalidValue(name, 'must be a 32-bit unsigned integer or an octal string', mode);
    }
    return checkInteger(Number.parseInt(mode, 8), name, 0, 2 ** 32 - 1);
  }
  return checkInteger(mode, name, 0, 2 ** 32 - 1);
}

/** A user or group id; -1 means "leave it". */
export function checkId(id: unknown, name: string): number {
  return checkInteger(id, name, -1, 2 ** 32 - 1);
}

/** A time in whole seconds and nanoseconds since the epoch. */
export interface Time {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** A time as `fs.utimes` takes it: seconds, a numeric string, or a `Date`. */
export function checkTime(time: unknown, name: string): Time {
  let milliseconds: number;
  if (time instanceof Date) {
    milliseconds = time.getTime();
    if (Number.isNaN(milliseconds)) throw invalidArgument(name, 'a valid Date', time);
    const seconds = Math.floor(milliseconds / 1000);
    return { seconds, nanoseconds: (milliseconds - seconds * 1000) * 1_000_000 };
  }
  const value = typeof time === 'string' && time.trim() !== '' ? Number(time) : time;
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw invalidArgument(name, 'of type number or string or an instance of Date', time);
  }
  return timeFromSeconds(value);
}

function timeFromSeconds(value: number): Time {
  // A double holds about a microsecond of present times: finer digits would be noise.
  const microseconds = Math.round(value * 1e6);
  const seconds = Math.floor(microseconds / 1e6);
  return { seconds, nanoseconds: (microseconds - seconds * 1e6) * 1000 };
}

/** A time from nanoseconds since the epoch. */
export function timeFromNanoseconds(value: bigint): Time {
  const billion = 1_000_000_000n;
  const rest = ((value % billion) + billion) % billion;
  return { seconds: Number((value - rest) / billion), nanoseconds: Number(rest) };
}

/** What `fs` functions take as their options. */
export type OptionsArgument = string | object | null | undefined;

/** Options given as an object, or as an encoding alone. */
export function checkOptions<T extends object>(options: unknown, name = 'options'): Partial<T> {
  if (options === undefined || options === null) return {};
  if (typeof options === 'string') return { encoding: options } as unknown as Partial<T>;
  if (typeof options !== 'object') {
    throw invalidArgument(name, 'one of type string or object', options);
  }
  return options;
}

/** 'buffer', an encoding, or the fallback. */
export function checkEncoding<F extends BufferEncoding | 'buffer'>(
  encoding: unknown,
  fallback: F,
): BufferEncoding | 'buffer' | F {
  if (encoding === undefined || encoding === null) return fallback;
  if (encoding === 'buffer') return 'buffer';
  if (typeof encoding === 'string' && Buffer.isEncoding(encoding)) return encoding;
  throw invalidValue('encoding', 'is invalid encoding', encoding);
}

/** Bytes as text in `encoding`, or as they are. */
export function encode(bytes: Bytes, encoding: BufferEncoding | 'buffer'): string | Bytes {
  return encoding === 'buffer' ? bytes : bytes.toString(encoding);
}

/** File contents as `fs.writeFile` takes them. */
export function checkData(data: unknown, encoding: unknown, name = 'data'): Uint8Array {
  if (typeof data === 'string') {
    const checked = checkEncoding(encoding, 'utf8');
    return Buffer.from(data, checked === 'buffer' ? 'utf8' : checked);
  }
  return checkBuffer(
    data,
    name,
    'of type string or an instance of Buffer, TypedArray, or DataView',
  );
}

/** Any view as bytes over the same memory. */
export function checkBuffer(
  value: unknown,
  name = 'buffer',
  expected = 'an instance of Buffer, TypedArray, or DataView',
): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  throw invalidArgument(name, expected, value);
}

/** A list of views, for readv and writev. */
export function checkBuffers(value: unknown): Uint8Array[] {
  if (!Array.isArray(value)) {
    throw invalidArgument('buffers', 'an instance of ArrayBufferView[]', value);
  }
  return value.map((view: unknown) =>
    checkBuffer(view, 'buffers', 'an instance of ArrayBufferView[]'),
  );
}

/** A file position; null means "where the descriptor stands". */
export function checkPosition(position: unknown): number | null {
  if (position === undefined || position === null || position === -1 || position === -1n) {
    return null;
  }
  if (typeof position === 'bigint') {
    if (position < 0n || position > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw outOfRange('position', `>= -1 && <= ${Number.MAX_SAFE_INTEGER}`, position);
    }
    return Number(position);
  }
  if (typeof position !== 'number') {
    throw invalidArgument('position', 'of type bigint or integer', position);
  }
  return checkInteger(position, 'position', -1);
}

/** The last argument of a callback function. */
export function checkCallback(callback: unknown): (...results: unknown[]) => void {
  if (typeof callback !== 'function') throw invalidArgument('cb', 'of type function', callback);
  return callback as (...results: unknown[]) => void;
}

/** Throws the AbortError of an aborted signal. */
export function checkSignal(signal: AbortSignal | null | undefined): void {
  if (signal?.aborted !== true) return;
  const error = new Error('The operation was aborted', { cause: signal.reason });
  error.name = 'AbortError';
  throw Object.assign(error, { code: 'ABORT_ERR' });
}
