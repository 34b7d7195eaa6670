/**
 * Reads a source tree's structure: names, types, times, owners; no file data.
 *
 * Synchronous on purpose: in Node a readdir and an lstat per entry are several times faster
 * without promises, and the workers start up meanwhile. Names are text where they are UTF-8 and
 * bytes where they are not.
 */
import * as fs from 'node:fs';

import { type Timestamp, TYPE } from '../session.js';

/** A host name or path: text, or bytes where the text would lose some. */
export type HostName = string | Buffer;

/** What every node of the source has. */
export interface SourceNode {
  readonly name: HostName;
  readonly hostPath: HostName;
  /** Path inside the source, starting with a slash, as the map will know it. */
  readonly mapPath: HostName;
  readonly parent: SourceDirectory | undefined;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly atime: Timestamp;
  readonly mtime: Timestamp;
}

export interface SourceDirectory extends SourceNode {
  /** Inode in the map, once it is made. */
  ino: number;
}

export interface SourceFile extends SourceNode {
  size: number;
  mtime: Timestamp;
  /** Fewer blocks than bytes: zero blocks are holes. */
  readonly sparse: boolean;
  /** Inode in the map, once it is imported. */
  ino: number;
}

/** A symbolic link, fifo, device or socket. */
export interface SourceSpecial extends SourceNode {
  readonly rdev: number;
  /** Where a symbolic link points to. */
  readonly target: Buffer | undefined;
  ino: number;
}

export interface SourceLink extends SourceNode {
  /** The node that was met first under the same inode. */
  readonly first: SourceFile | SourceSpecial;
}

/** Something that could not be read. */
export interface SourceTrouble {
  readonly path: HostName;
  readonly error: NodeJS.ErrnoException;
}

export interface SourceTree {
  readonly root: SourceDirectory;
  /** In walk order: parents before children; the root is not among them. */
  readonly directories: SourceDirectory[];
  readonly files: SourceFile[];
  readonly specials: SourceSpecial[];
  readonly links: SourceLink[];
  readonly troubles: SourceTrouble[];
  /** Sum of the file sizes in bytes. */
  readonly bytes: number;
}

export interface WalkOptions {
  /** True for a path (inside the source, with a leading slash) to leave out with all below it. */
  readonly excluded: (mapPath: string) => boolean;
  /** Host inodes (`device:inode`) to leave out: the map being written, when it lies inside. */
  readonly skip: ReadonlySet<string>;
}

const BILLION = 1_000_000_000n;

/** Nanoseconds since the epoch as whole seconds (floor) and the rest. */
export function timestampOf(nanoseconds: bigint): Timestamp {
  let rest = Number(nanoseconds % BILLION);
  // Exact: the quotient is far below 2^53 and the rest is taken off before rounding can matter.
  let seconds = Math.round((Number(nanoseconds) - rest) / 1e9);
  if (rest < 0) {
    rest += 1e9;
    seconds -= 1;
  }
  return { seconds, nanoseconds: rest };
}

const SLASH = Buffer.from('/');

/** `directory/name`, bytes as soon as one of them is bytes. */
export function joinHost(directory: HostName, name: HostName): HostName {
  if (typeof directory === 'string' && typeof name === 'string') {
    return directory.endsWith('/') ? directory + name : `${directory}/${name}`;
  }
  const left = Buffer.from(directory as string);
  const parts = left.at(-1) === 0x2f ? [left] : [left, SLASH];
  return Buffer.concat([...parts, Buffer.from(name as string)]);
}

/** The names in a directory; bytes for those that are not UTF-8. */
export function listHost(directory: HostName): HostName[] {
  const names = fs.readdirSync(directory, 'utf8');
  if (!names.some((name) => name.includes('\ufffd'))) return names.sort();
  const exact: HostName[] = [];
  for (const bytes of fs.readdirSync(directory, 'buffer').sort((a, b) => Buffer.compare(a, b))) {
    const text = bytes.toString('utf8');
    exact.push(Buffer.from(text, 'utf8').equals(bytes) ? text : bytes);
  }
  return exact;
}

/** Walks `source` (a directory, links to it followed) in name order, depth first. */
export function walkSource(source: HostName, options: WalkOptions): SourceTree {
  const directories: SourceDirectory[] = [];
  const files: SourceFile[] = [];
  const specials: SourceSpecial[] = [];
  const links: SourceLink[] = [];
  const troubles: SourceTrouble[] = [];
  const linked = new Map<string, SourceFile | SourceSpecial>();
  let bytes = 0;

  const rootStat = fs.statSync(source, { bigint: true });
  if (!rootStat.isDirectory()) {
    throw Object.assign(new Error('not a directory'), { code: 'ENOTDIR' });
  }
  const root: SourceDirectory = {
    ...attributesOf(rootStat),
    name: '',
    hostPath: source,
    mapPath: '/',
    parent: undefined,
    ino: 0,
  };
  const waiting: SourceDirectory[] = [root];
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    if (directory !== root) directories.push(directory);
    let names: HostName[];
    try {
      names = listHost(directory.hostPath);
    } catch (error) {
      troubles.push({ path: directory.hostPath, error: error as NodeJS.ErrnoException });
      continue;
    }
    const below: SourceDirectory[] = [];
    for (const name of names) {
      const hostPath = joinHost(directory.hostPath, name);
      const mapPath = joinHost(directory.mapPath, name);
      if (options.excluded(mapPath.toString())) continue;
      let stat: fs.BigIntStats;
      try {
        stat = fs.lstatSync(hostPath, { bigint: true });
      } catch (error) {
        // Gone between the listing and now: it is not part of the tree any more.
        const trouble = error as NodeJS.ErrnoException;
        if (trouble.code !== 'ENOENT') troubles.push({ path: hostPath, error: trouble });
        continue;
      }
      // The type by number: each test of BigIntStats costs two operations on big integers.
      const mode = Number(stat.mode);
      const type = mode & TYPE.mask;
      const node: SourceNode = {
        mode,
        uid: Number(stat.uid),
        gid: Number(stat.gid),
        atime: timestampOf(stat.atimeNs),
        mtime: timestampOf(stat.mtimeNs),
        name,
        hostPath,
        mapPath,
        parent: directory,
      };
      if (type === TYPE.directory) {
        below.push(Object.assign(node, { ino: 0 }));
        continue;
      }
      if (options.skip.size > 0 && options.skip.has(inodeKey(stat))) continue;
      const key = Number(stat.nlink) > 1 ? inodeKey(stat) : undefined;
      const first = key === undefined ? undefined : linked.get(key);
      if (first !== undefined) {
        links.push(Object.assign(node, { first }));
        continue;
      }
      let made: SourceFile | SourceSpecial;
      if (type === TYPE.file) {
        const size = Number(stat.size);
        made = Object.assign(node, { size, sparse: Number(stat.blocks) * 512 < size, ino: 0 });
        files.push(made);
        bytes += size;
      } else {
        let target: Buffer | undefined;
        try {
          if (type === TYPE.link) target = fs.readlinkSync(hostPath, 'buffer');
        } catch (error) {
          troubles.push({ path: hostPath, error: error as NodeJS.ErrnoException });
          continue;
        }
        made = Object.assign(node, { rdev: Number(stat.rdev), target, ino: 0 });
        specials.push(made);
      }
      if (key !== undefined) linked.set(key, made);
    }
    for (let index = below.length - 1; index >= 0; index -= 1) {
      const child = below[index];
      if (child !== undefined) waiting.push(child);
    }
  }
  return { root, directories, files, specials, links, troubles, bytes };
}

function inodeKey(stat: fs.BigIntStats): string {
  return `${stat.dev}:${stat.ino}`;
}

function attributesOf(
  stat: fs.BigIntStats,
): Pick<SourceNode, 'mode' | 'uid' | 'gid' | 'atime' | 'mtime'> {
  return {
    mode: Number(stat.mode),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    atime: timestampOf(stat.atimeNs),
    mtime: timestampOf(stat.mtimeNs),
  };
}
