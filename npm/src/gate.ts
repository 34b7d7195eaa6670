/**
 * The border to the engine: paths, names and records in the scratch buffer.
 *
 * Rules: a view onto wasm memory dies when the memory grows (its length becomes 0), so every
 * method asks {@link Gate.scratch} anew after a call that may allocate, and nothing outside this
 * module keeps one. Strings go in by a loop when they are short and ASCII (cheaper than a call),
 * else through `Buffer.write`.
 */

import type { RawMap } from './contract.js';
import { AetherFlowError } from './errors.js';

/** Bytes of file data one engine call moves at most. */
export const CHUNK = 1 << 20;
/** Longest path taken, in UTF-8 bytes; Linux stops at 4096, the engine may allow more. */
const PATH_LIMIT = 1 << 16;
/** Up to this many code units a loop beats the call into `Buffer.write`. */
const LOOP_LIMIT = 96;
/** Entries asked for at once: 4000 of the longest (273 bytes) fit in the scratch buffer. */
const ENTRY_LIMIT = 4000;

/** File type as in `struct dirent`. */
export const DT = { FIFO: 1, CHR: 2, DIR: 4, BLK: 6, REG: 8, LNK: 10, SOCK: 12 } as const;

/** Names as bytes, held in a string of code units 0..255, so odd names survive unchanged. */
export type ByteString = string;

/** Bytes in memory of their own. */
export type Bytes = Buffer<ArrayBuffer>;

/** One directory entry. */
export interface Entry {
  readonly ino: number;
  /** DT_* of the entry. */
  readonly type: number;
  readonly name: Bytes;
}

/** Offsets in the stat record. */
export const STAT = {
  ino: 0,
  size: 8,
  blocks: 16,
  mode: 24,
  nlink: 28,
  uid: 32,
  gid: 36,
  rdev: 40,
  atime: 48,
  mtime: 60,
  ctime: 72,
  birthtime: 84,
  importance: 96,
} as const;

const TWO_32 = 2 ** 32;

function closedError(): never {
  throw new AetherFlowError('EBADF', { reason: 'closed', sentence: 'the map is closed' });
}

function busyError(): never {
  throw new AetherFlowError('EBUSY', {
    sentence: 'the map is busy with the operation that made this call',
  });
}

/** Stands in for the engine while a callback of a long operation runs: it cannot be entered twice. */
const BUSY = new Proxy<object>({}, { get: busyError }) as unknown as RawMap;

/** Stands in for the engine of a closed map: every use says so instead of touching freed memory. */
const CLOSED = new Proxy<object>({}, { get: closedError }) as unknown as RawMap;

/** Owns one engine object and the views onto its scratch buffer. */
export class Gate {
  #raw: RawMap;
  readonly root: number;
  readonly readOnly: boolean;
  readonly #memory: WebAssembly.Memory;
  readonly #address: number;
  readonly #length: number;
  #bytes: Bytes;
  #view: DataView;

  constructor(raw: RawMap) {
    this.#raw = raw;
    this.root = raw.root;
    this.readOnly = raw.readOnly;
    this.#memory = raw.memory;
    this.#address = raw.scratch;
    this.#length = raw.scratchLength;
    this.#bytes = Buffer.from(this.#memory.buffer, this.#address, this.#length);
    this.#view = new DataView(this.#memory.buffer, this.#address, this.#length);
  }

  /** The engine; after {@link release} every use of it throws EBADF. */
  get raw(): RawMap {
    return this.#raw;
  }

  get closed(): boolean {
    return this.#raw === CLOSED;
  }

  /** Runs an operation that calls back; the callbacks must not use the map (EBUSY). */
  exclusively<T>(action: (raw: RawMap) => T): T {
    const raw = this.#raw;
    if (raw === CLOSED || raw === BUSY) return action(raw);
    this.#raw = BUSY;
    try {
      return action(raw);
    } finally {
      this.#raw = raw;
    }
  }

  /** Lets go of the engine object and its memory. */
  release(): void {
    const raw = this.#raw;
    this.#raw = CLOSED;
    if (raw !== CLOSED) raw.free();
  }

  /** The same without writing anything more: the engine frees itself. */
  abandon(): void {
    const raw = this.#raw;
    this.#raw = CLOSED;
    if (raw !== CLOSED) raw.abandon();
  }

  /** The scratch buffer; valid until the next engine call. */
  get scratch(): Bytes {
    if (this.#bytes.length === 0) this.#renew();
    return this.#bytes;
  }

  /** The scratch buffer as a `DataView`; valid until the next engine call. */
  get view(): DataView {
    if (this.#bytes.length === 0) this.#renew();
    return this.#view;
  }

  #renew(): void {
    this.#bytes = Buffer.from(this.#memory.buffer, this.#address, this.#length);
    this.#view = new DataView(this.#memory.buffer, this.#address, this.#length);
  }

  /**
   * Writes a checked path or a name into the scratch buffer at `at`.
   * @returns its length in bytes
   * @throws ENAMETOOLONG beyond 64 KiB
   */
  put(path: string | Uint8Array, at = 0): number {
    if (path.length > PATH_LIMIT) throw new AetherFlowError('ENAMETOOLONG');
    if (typeof path === 'string') return this.putText(path, at);
    this.scratch.set(path, at);
    return path.length;
  }

  /** Writes text that fits as UTF-8; returns its length in bytes. */
  putText(text: string, at = 0): number {
    const scratch = this.scratch;
    const length = text.length;
    if (length <= LOOP_LIMIT) {
      let index = 0;
      for (; index < length; index += 1) {
        const unit = text.charCodeAt(index);
        if (unit > 127) break;
        scratch[at + index] = unit;
      }
      if (index === length) return length;
    }
    return scratch.write(text, at, 'utf8');
  }

  /** The inode at `path`. */
  resolve(path: string | Uint8Array, follow: boolean): number {
    if (path.length === 0) throw new AetherFlowError('ENOENT');
    return this.#raw.resolve(this.put(path), this.root, follow);
  }

  /** Resolves all but the last component, whose bytes then lie at the start of the scratch buffer. */
  resolveParent(path: string | Uint8Array): number {
    if (path.length === 0) throw new AetherFlowError('ENOENT');
    return this.#raw.resolveParent(this.put(path), this.root);
  }

  /** A copy of the last component that {@link resolveParent} left in the scratch buffer. */
  lastName(): Bytes {
    return Buffer.from(this.scratch.subarray(0, this.#raw.lastNameLength));
  }

  /** The inode of `name` in `parent`, 0 when there is none. */
  lookup(parent: number, name: string | Uint8Array): number {
    return this.#raw.lookup(parent, this.put(name));
  }

  /** The mode of an inode: type and permission bits. */
  mode(ino: number): number {
    this.#raw.stat(ino);
    return this.view.getUint32(STAT.mode, true);
  }

  /** The size of an inode in bytes. */
  size(ino: number): number {
    this.#raw.stat(ino);
    return this.view.getFloat64(STAT.size, true);
  }

  /** Whole seconds of a time in the stat record at `offset`. */
  seconds(offset: number): number {
    const view = this.view;
    return view.getInt32(offset + 4, true) * TWO_32 + view.getUint32(offset, true);
  }

  /** A time of the stat record in nanoseconds since the epoch. */
  nanoseconds(offset: number): bigint {
    const view = this.view;
    return (
      view.getBigInt64(offset, true) * 1_000_000_000n + BigInt(view.getUint32(offset + 8, true))
    );
  }

  /** A copy of `length` bytes of the scratch buffer. */
  take(length: number): Bytes {
    return Buffer.from(this.scratch.subarray(0, length));
  }

  /** The target of a symbolic link. */
  readlink(ino: number): Bytes {
    return this.take(this.#raw.readlink(ino));
  }

  /** All entries of a directory, in the engine's order, without "." and "..". */
  entries(ino: number): Entry[] {
    const list: Entry[] = [];
    for (let cookie = 0; ;) {
      const next = this.someEntries(ino, cookie, ENTRY_LIMIT, list);
      if (next === undefined) return list;
      cookie = next;
    }
  }

  /**
   * Appends up to `limit` entries that follow `cookie` (0 = the start) to `list`.
   * @returns the cookie to continue with, or undefined at the end
   */
  someEntries(ino: number, cookie: number, limit: number, list: Entry[]): number | undefined {
    const count = this.#raw.readdir(ino, cookie, Math.min(limit, ENTRY_LIMIT));
    if (count === 0) return undefined;
    const { scratch, view } = this;
    let at = 0;
    let last = cookie;
    for (let index = 0; index < count; index += 1) {
      const length = view.getUint8(at + 17);
      const start = at + 18;
      last = view.getFloat64(at + 8, true);
      list.push({
        ino: view.getFloat64(at, true),
        type: view.getUint8(at + 16),
        name: Buffer.from(scratch.subarray(start, start + length)),
      });
      at = start + length;
    }
    return last;
  }

  /**
   * Reads up to `length` bytes at `position` into `target` at `offset`.
   * @returns bytes read; fewer than asked only at the end of the file
   */
  read(ino: number, target: Uint8Array, offset: number, length: number, position: number): number {
    let done = 0;
    while (done < length) {
      const wanted = Math.min(CHUNK, length - done);
      const count = this.#raw.read(ino, position + done, wanted);
      if (count === 0) break;
      target.set(this.scratch.subarray(0, count), offset + done);
      done += count;
      if (count < wanted) break;
    }
    return done;
  }

  /** Writes all of `source` at `position`. */
  write(ino: number, source: Uint8Array, position: number): number {
    const length = source.length;
    if (length <= CHUNK) {
      if (length === 0) return 0;
      this.scratch.set(source, 0);
      return this.#raw.write(ino, position, length);
    }
    let done = 0;
    while (done < length) {
      const part = source.subarray(done, done + CHUNK);
      this.scratch.set(part, 0);
      const count = this.#raw.write(ino, position + done, part.length);
      if (count === 0) break;
      done += count;
    }
    return done;
  }
}
