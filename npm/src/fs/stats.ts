/**
 * Stats, BigIntStats, StatsFs and Dirent with Node's shapes.
 *
 * A `Stats` is built from the record in the scratch buffer with plain numbers only; its dates are
 * made when somebody asks, as Node's own are.
 */

import type * as nodeFs from 'node:fs';
import { DT, STAT, type Entry, type Gate } from '../gate.js';
import { encode } from './arguments.js';

const S_IFMT = 0o170000;
const TYPE = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  link: 0o120000,
  socket: 0o140000,
} as const;

export const isDirectoryMode = (mode: number): boolean => (mode & S_IFMT) === TYPE.directory;
export const isLinkMode = (mode: number): boolean => (mode & S_IFMT) === TYPE.link;
export const isFileMode = (mode: number): boolean => (mode & S_IFMT) === TYPE.file;

/** What both kinds of stats share: the questions about the type. */
abstract class StatsBase {
  protected abstract readonly modeBits: number;

  isFile(): boolean {
    return (this.modeBits & S_IFMT) === TYPE.file;
  }
  isDirectory(): boolean {
    return (this.modeBits & S_IFMT) === TYPE.directory;
  }
  isSymbolicLink(): boolean {
    return (this.modeBits & S_IFMT) === TYPE.link;
  }
  isBlockDevice(): boolean {
    return (this.modeBits & S_IFMT) === TYPE.block;
  }
  isCharacterDevice(): boolean {
    return (this.modeBits & S_IFMT) === TYPE.character;
  }
  isFIFO(): boolean {
    return (this.modeBits & S_IFMT) === TYPE.fifo;
  }
  isSocket(): boolean {
    return (this.modeBits & S_IFMT) === TYPE.socket;
  }
}

const TWO_32 = 2 ** 32;

function milliseconds(view: DataView, offset: number): number {
  const seconds = view.getInt32(offset + 4, true) * TWO_32 + view.getUint32(offset, true);
  return seconds * 1000 + view.getUint32(offset + 8, true) / 1e6;
}

/** Numbers of one file; sizes in bytes, `blocks` of 512 bytes, times in ms since the epoch. */
export class Stats extends StatsBase {
  dev: number;
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  rdev: number;
  blksize: number;
  ino: number;
  size: number;
  blocks: number;
  atimeMs: number;
  mtimeMs: number;
  ctimeMs: number;
  birthtimeMs: number;

  /** Reads the record that `gate.raw.stat` left in the scratch buffer. */
  constructor(gate: Gate, dev: number) {
    super();
    const view = gate.view;
    this.dev = dev;
    this.mode = view.getUint32(STAT.mode, true);
    this.nlink = view.getUint32(STAT.nlink, true);
    this.uid = view.getUint32(STAT.uid, true);
    this.gid = view.getUint32(STAT.gid, true);
    this.rdev = view.getFloat64(STAT.rdev, true);
    this.blksize = 4096;
    this.ino = view.getFloat64(STAT.ino, true);
    this.size = view.getFloat64(STAT.size, true);
    this.blocks = view.getFloat64(STAT.blocks, true);
    this.atimeMs = milliseconds(view, STAT.atime);
    this.mtimeMs = milliseconds(view, STAT.mtime);
    this.ctimeMs = milliseconds(view, STAT.ctime);
    this.birthtimeMs = milliseconds(view, STAT.birthtime);
  }

  protected get modeBits(): number {
    return this.mode;
  }
  get atime(): Date {
    return new Date(Math.round(this.atimeMs));
  }
  get mtime(): Date {
    return new Date(Math.round(this.mtimeMs));
  }
  get ctime(): Date {
    return new Date(Math.round(this.ctimeMs));
  }
  get birthtime(): Date {
    return new Date(Math.round(this.birthtimeMs));
  }
}

/** The same as bigints, with the exact nanoseconds. */
export class BigIntStats extends StatsBase {
  dev: bigint;
  mode: bigint;
  nlink: bigint;
  uid: bigint;
  gid: bigint;
  rdev: bigint;
  blksize: bigint;
  ino: bigint;
  size: bigint;
  blocks: bigint;
  atimeMs: bigint;
  mtimeMs: bigint;
  ctimeMs: bigint;
  birthtimeMs: bigint;
  atimeNs: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
  birthtimeNs: bigint;

  /** Reads the record that `gate.raw.stat` left in the scratch buffer. */
  constructor(gate: Gate, dev: number) {
    super();
    const view = gate.view;
    const million = 1_000_000n;
    this.dev = BigInt(dev);
    this.mode = BigInt(view.getUint32(STAT.mode, true));
    this.nlink = BigInt(view.getUint32(STAT.nlink, true));
    this.uid = BigInt(view.getUint32(STAT.uid, true));
    this.gid = BigInt(view.getUint32(STAT.gid, true));
    this.rdev = BigInt(view.getFloat64(STAT.rdev, true));
    this.blksize = 4096n;
    this.ino = BigInt(view.getFloat64(STAT.ino, true));
    this.size = BigInt(view.getFloat64(STAT.size, true));
    this.blocks = BigInt(view.getFloat64(STAT.blocks, true));
    this.atimeNs = gate.nanoseconds(STAT.atime);
    this.mtimeNs = gate.nanoseconds(STAT.mtime);
    this.ctimeNs = gate.nanoseconds(STAT.ctime);
    this.birthtimeNs = gate.nanoseconds(STAT.birthtime);
    this.atimeMs = this.atimeNs / million;
    this.mtimeMs = this.mtimeNs / million;
    this.ctimeMs = this.ctimeNs / million;
    this.birthtimeMs = this.birthtimeNs / million;
  }

  protected get modeBits(): number {
    return Number(this.mode);
  }
  get atime(): Date {
    return new Date(Number(this.atimeMs));
  }
  get mtime(): Date {
    return new Date(Number(this.mtimeMs));
  }
  get ctime(): Date {
    return new Date(Number(this.ctimeMs));
  }
  get birthtime(): Date {
    return new Date(Number(this.birthtimeMs));
  }
}

/** Magic number of the filesystem in `statfs`: "AETH". */
const FILESYSTEM_TYPE = 0x41455448;

/** Space of the map in blocks of `bsize` bytes. */
export class StatsFs<T extends number | bigint = number> {
  type: T;
  bsize: T;
  blocks: T;
  bfree: T;
  bavail: T;
  files: T;
  ffree: T;

  constructor(gate: Gate, convert: (value: number) => T) {
    const space = gate.raw.statfs();
    this.type = convert(FILESYSTEM_TYPE);
    this.bsize = convert(space.blockSize);
    this.blocks = convert(space.blocks);
    this.bfree = convert(space.freeBlocks);
    this.bavail = convert(space.freeBlocks);
    this.files = convert(space.files);
    // The map grows with its files: no table of inodes can fill up.
    this.ffree = convert(0);
  }
}

/** One entry of a directory listing. */
export class Dirent<Name extends string | Buffer = string> {
  name: Name;
  parentPath: string;
  /** The same as {@link parentPath}; the older name. */
  path: string;
  readonly #type: number;

  constructor(name: Name, parentPath: string, type: number) {
    this.name = name;
    this.parentPath = parentPath;
    this.path = parentPath;
    this.#type = type;
  }

  isFile(): boolean {
    return this.#type === DT.REG;
  }
  isDirectory(): boolean {
    return this.#type === DT.DIR;
  }
  isSymbolicLink(): boolean {
    return this.#type === DT.LNK;
  }
  isBlockDevice(): boolean {
    return this.#type === DT.BLK;
  }
  isCharacterDevice(): boolean {
    return this.#type === DT.CHR;
  }
  isFIFO(): boolean {
    return this.#type === DT.FIFO;
  }
  isSocket(): boolean {
    return this.#type === DT.SOCK;
  }
}

/** An entry as a `Dirent` below `parentPath`. */
export function direntOf(
  entry: Entry,
  parentPath: string,
  encoding: BufferEncoding | 'buffer',
): Dirent<string | Buffer> {
  return new Dirent(encode(entry.name, encoding), parentPath, entry.type);
}

/** What a caller of stat, lstat and fstat gets. */
export type AnyStats = nodeFs.Stats | nodeFs.BigIntStats;

/** The stat record in the scratch buffer as the caller wants it. */
export function statsOf(gate: Gate, dev: number, bigint: boolean | undefined): AnyStats {
  return bigint === true ? new BigIntStats(gate, dev) : new Stats(gate, dev);
}
