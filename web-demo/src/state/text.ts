/** Numbers, times and names as people read them. */
import type { Entry } from '../engine/contract';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[unit] ?? ''}`;
}

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

export function number(value: number): string {
  return whole.format(value);
}

/** "1 file", "12 files". */
export function count(value: number, one: string, many = `${one}s`): string {
  return `${number(value)} ${value === 1 ? one : many}`;
}

const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** Whether a time, which may come out of any map, is one that a calendar can hold. */
function isDate(time: number): boolean {
  return Math.abs(time) <= 8.64e15;
}

export function moment(time: number): string {
  return isDate(time) ? dateTime.format(time) : 'unknown';
}

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
];

export function ago(time: number): string {
  if (!isDate(time)) return 'at an unknown time';
  const seconds = (time - Date.now()) / 1000;
  for (const [unit, length] of STEPS) {
    if (Math.abs(seconds) >= length) return relative.format(Math.round(seconds / length), unit);
  }
  return 'just now';
}

/** What to show for a name: foreign bytes, which come as lone surrogates, as `\xNN`. */
export function shown(name: string): string {
  return name.replace(/[\udc80-\udcff]|\p{Cc}/gu, (found) => {
    const code = found.charCodeAt(0);
    return `\\x${(code >= 0xdc00 ? code - 0xdc00 : code).toString(16).padStart(2, '0')}`;
  });
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function parentOf(path: string): string {
  const end = path.lastIndexOf('/');
  return end <= 0 ? '/' : path.slice(0, end);
}

export function joined(directory: string, name: string): string {
  return directory === '/' ? `/${name}` : `${directory}/${name}`;
}

/** Whether `path` is `directory` or lies below it. */
export function isWithin(path: string, directory: string): boolean {
  return directory === '/' || path === directory || path.startsWith(`${directory}/`);
}

/** The engine's phrases, as sentences: "frame is damaged" becomes "Frame is damaged." */
export function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(whole) ? whole : `${whole}.`;
}

export const TYPE_NAMES: Record<Entry['type'], string> = {
  file: 'File',
  directory: 'Folder',
  symlink: 'Symbolic link',
  other: 'Special file',
};

/** What is wrong with a name for a new entry, or undefined. */
export function nameProblem(name: string): string | undefined {
  if (name === '') return 'A name is needed.';
  if (name === '.' || name === '..') return 'This name stands for a folder already.';
  if (name.includes('/')) return 'A name cannot contain a slash.';
  if (name.includes('\0')) return 'A name cannot contain a zero byte.';
  if (new TextEncoder().encode(name).length > 255) return 'A name can have 255 bytes at most.';
  return undefined;
}
