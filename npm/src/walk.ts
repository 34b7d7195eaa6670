/**
 * Walks a tree of a map by inodes: no path is resolved twice and odd names stay as they are.
 */

import type { Volume } from './fs/volume.js';
import { DT, type Bytes } from './gate.js';

/** Kind of a file. */
export type EntryType =
  'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'character-device' | 'block-device';

const TYPES: Readonly<Record<number, EntryType>> = {
  [DT.REG]: 'file',
  [DT.DIR]: 'directory',
  [DT.LNK]: 'symlink',
  [DT.FIFO]: 'fifo',
  [DT.SOCK]: 'socket',
  [DT.CHR]: 'character-device',
  [DT.BLK]: 'block-device',
};

/** One file met on a walk. */
export interface WalkEntry {
  /** The start's path and the names below it, as UTF-8 text. */
  readonly path: string;
  /** The same as bytes, for names that are not UTF-8. */
  readonly pathBytes: Buffer;
  readonly name: string;
  readonly type: EntryType;
  readonly ino: number;
  /** 1 for what lies in the start directory itself. */
  readonly depth: number;
}

interface Pending {
  readonly ino: number;
  readonly type: number;
  readonly name: Bytes;
  readonly directory: Buffer;
  readonly depth: number;
}

/** Everything below the directory `root`, shown as lying below `start`. */
export function* walk(volume: Volume, root: number, start: Buffer): Generator<WalkEntry, void> {
  const stack: Pending[] = [];
  const list = (ino: number, directory: Buffer, depth: number): void => {
    const entries = volume.run('scandir', directory, () => volume.gate.entries(ino));
    entries.sort((a, b) => Buffer.compare(b.name, a.name));
    for (const entry of entries) stack.push({ ...entry, directory, depth });
  };
  list(root, start, 1);
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { ino, type, name, directory, depth } = next;
    const slash = directory.at(-1) === 0x2f || directory.length === 0 ? '' : '/';
    const pathBytes = Buffer.concat([directory, Buffer.from(slash), name]);
    yield {
      path: pathBytes.toString(),
      pathBytes,
      name: name.toString(),
      type: TYPES[type] ?? 'file',
      ino,
      depth,
    };
    if (type === DT.DIR) list(ino, pathBytes, depth + 1);
  }
}
