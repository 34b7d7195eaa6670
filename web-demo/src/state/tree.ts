/** The tree of directories as rows: what is open, what has been listed, which row has the keyboard. */
import { batch, computed, effect, signal } from '@preact/signals';

import { engine } from '../engine/client';
import type { Entry, Problem } from '../engine/contract';
import { filesRevision, openMap } from './map';
import { heed } from './heed';
import { problemOf } from './notices';
import { isWithin, parentOf } from './text';
import { selection, snapshot } from './view';

export type Row =
  | {
      kind: 'entry';
      entry: Entry;
      depth: number;
      position: number;
      siblings: number;
      open: boolean;
    }
  | { kind: 'word'; path: string; depth: number; text: string; problem: boolean };

type Listing = readonly Entry[] | Problem;

const ROOT: Entry = { name: '', path: '/', ino: 0, type: 'directory', size: 0, modified: 0 };

export const opened = signal<ReadonlySet<string>>(new Set(['/']));
const listings = signal<ReadonlyMap<string, Listing>>(new Map());
/** Path of the row that has, or would get, the keyboard. */
export const active = signal('/');
/** Path of the row whose name is being changed. */
export const renaming = signal<string | null>(null);

export const rows = computed<readonly Row[]>(() => {
  const out: Row[] = [
    { kind: 'entry', entry: ROOT, depth: 0, position: 1, siblings: 1, open: true },
  ];
  addRows(out, '/', 1);
  return out;
});

/** Index of the row that has the keyboard; -1 while it is not there. */
export const activeIndex = computed(() => rowIndex(rows.value, active.value));

export function rowIndex(all: readonly Row[], path: string): number {
  return all.findIndex((row) => row.kind === 'entry' && row.entry.path === path);
}

function addRows(out: Row[], directory: string, depth: number): void {
  const listing = listings.value.get(directory);
  if (listing === undefined) {
    out.push({ kind: 'word', path: directory, depth, text: 'Reading…', problem: false });
    return;
  }
  if ('reason' in listing) {
    out.push({ kind: 'word', path: directory, depth, text: listing.message, problem: true });
    return;
  }
  if (listing.length === 0) {
    out.push({ kind: 'word', path: directory, depth, text: 'Empty', problem: false });
    return;
  }
  let position = 0;
  for (const entry of listing) {
    position += 1;
    const open = entry.type === 'directory' && opened.value.has(entry.path);
    out.push({ kind: 'entry', entry, depth, position, siblings: listing.length, open });
    if (open) addRows(out, entry.path, depth + 1);
  }
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });
/** Above this many, comparing as people do takes too long. */
const MANY = 20_000;

function sorted(entries: Entry[]): Entry[] {
  const compare =
    entries.length > MANY
      ? (a: Entry, b: Entry) => (a.name < b.name ? -1 : 1)
      : (a: Entry, b: Entry) => collator.compare(a.name, b.name);
  return entries.sort(
    (a, b) => Number(b.type === 'directory') - Number(a.type === 'directory') || compare(a, b),
  );
}

async function read(directory: string): Promise<void> {
  let listing: Listing;
  try {
    listing = sorted(await engine.list(directory));
  } catch (error) {
    listing = problemOf(error);
  }
  if (openMap.value === null) return;
  if ('reason' in listing && listing.code === 'ENOENT' && directory !== '/') {
    // Gone with the change that made this be read again.
    const open = new Set(opened.value);
    open.delete(directory);
    opened.value = open;
    return;
  }
  const next = new Map(listings.value);
  next.set(directory, listing);
  listings.value = next;
}

let reading = false;
let again = false;

/** Reads all open directories again, from the top; wishes in the meantime are one more round. */
async function readAll(): Promise<void> {
  if (reading) {
    again = true;
    return;
  }
  reading = true;
  const open = [...opened.peek()].toSorted((a, b) => a.length - b.length);
  listings.value = new Map([...listings.peek()].filter(([path]) => opened.peek().has(path)));
  for (const directory of open) await read(directory);
  reading = false;
  if (again) {
    again = false;
    await readAll();
  }
}

let lastMap: unknown = null;
effect(() => {
  heed(filesRevision.value, snapshot.value);
  const map = openMap.value;
  if (map !== lastMap) {
    lastMap = map;
    batch(() => {
      listings.value = new Map();
      opened.value = new Set(['/']);
      active.value = '/';
      renaming.value = null;
    });
  }
  if (map !== null) void readAll();
});

export function setOpen(path: string, open: boolean): void {
  if (path === '/' || opened.value.has(path) === open) return;
  const next = new Set(opened.value);
  if (open) next.add(path);
  else next.delete(path);
  opened.value = next;
  if (open && !listings.value.has(path)) void read(path);
}

/** Opens what lies above a path, so that its row is there. */
export async function reveal(path: string): Promise<void> {
  const above: string[] = [];
  for (let at = parentOf(path); at !== '/'; at = parentOf(at)) above.unshift(at);
  const missing = above.filter((directory) => !opened.value.has(directory));
  if (missing.length > 0) opened.value = new Set([...opened.value, ...missing]);
  for (const directory of above) {
    if (!listings.value.has(directory)) await read(directory);
  }
  if (selection.peek() === path) active.value = path;
}

effect(() => {
  const path = selection.value;
  if (path !== null && openMap.peek() !== null && isWithin(path, '/')) void reveal(path);
});
