/**
 * The border to one engine object: names, records and data in its scratch buffer.
 *
 * Rules: a view onto wasm memory dies when the memory grows (its length becomes 0), so every use
 * asks for it anew after a call that may allocate, and nothing outside this module keeps one.
 */
import { decodeName, encodeName } from './names';
import type { EngineMap } from './engine-types';

/** Bytes of file data one engine call moves at most. */
export const PIECE = 1 << 20;
/** Entries asked for at once: as many of the longest (273 bytes) fit in the scratch buffer. */
const ENTRIES = 4000;

/** File types as in `struct dirent`. */
export const TYPE = { directory: 4, file: 8, symlink: 10 } as const;

export interface NamedInode {
  ino: number;
  /** One of {@link TYPE}, or another of `DT_*`. */
  type: number;
  name: string;
}

export interface Stat {
  ino: number;
  size: number;
  mode: number;
  links: number;
  uid: number;
  gid: number;
  /** Milliseconds since the epoch. */
  modified: number;
  changed: number;
  created: number;
  importance: number;
}

export class Gate {
  readonly raw: EngineMap;
  readonly root: number;
  readonly #address: number;
  readonly #length: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;

  constructor(raw: EngineMap) {
    this.raw = raw;
    this.root = raw.root;
    this.#address = raw.scratch;
    this.#length = raw.scratchLength;
    [this.#bytes, this.#view] = this.#views();
  }

  #views(): [Uint8Array<ArrayBuffer>, DataView] {
    const buffer = this.raw.memory.buffer;
    return [
      new Uint8Array(buffer, this.#address, this.#length),
      new DataView(buffer, this.#address, this.#length),
    ];
  }

  /** The scratch buffer; valid until the next engine call. */
  get bytes(): Uint8Array<ArrayBuffer> {
    if (this.#bytes.length === 0) [this.#bytes, this.#view] = this.#views();
    return this.#bytes;
  }

  /** The same as a `DataView`. */
  get view(): DataView {
    if (this.#bytes.length === 0) [this.#bytes, this.#view] = this.#views();
    return this.#view;
  }

  /** Writes a path or name at `at`; returns its length in bytes. */
  put(text: string | Uint8Array, at = 0): number {
    const bytes = typeof text === 'string' ? encodeName(text) : text;
    this.bytes.set(bytes, at);
    return bytes.length;
  }

  /** The inode at `path`, of a link itself. @throws ENOENT */
  resolve(path: string): number {
    return this.raw.resolve(this.put(path), this.root, false);
  }

  /** The directory that `path` lies in, and its last name; a relative one is taken from `base`. */
  parentOf(path: string, base = this.root): { parent: number; name: Uint8Array } {
    const parent = this.raw.resolveParent(this.put(path), base);
    return { parent, name: this.bytes.slice(0, this.raw.lastNameLength) };
  }

  /** The inode of `name` in `parent`, 0 when there is none. */
  lookup(parent: number, name: string | Uint8Array): number {
    return this.raw.lookup(parent, this.put(name));
  }

  stat(ino: number): Stat {
    this.raw.stat(ino);
    const view = this.view;
    const time = (at: number): number =>
      Number(view.getBigInt64(at, true)) * 1000 + view.getUint32(at + 8, true) / 1e6;
    return {
      ino,
      size: view.getFloat64(8, true),
      mode: view.getUint32(24, true),
      links: view.getUint32(28, true),
      uid: view.getUint32(32, true),
      gid: view.getUint32(36, true),
      modified: time(60),
      changed: time(72),
      created: time(84),
      importance: view.getUint32(96, true),
    };
  }

  readlink(ino: number): string {
    const length = this.raw.readlink(ino);
    return decodeName(this.bytes.subarray(0, length));
  }

  /** All entries of a directory, in the engine's order. */
  entries(ino: number): NamedInode[] {
    const list: NamedInode[] = [];
    for (let cookie = 0; ;) {
      const count = this.raw.readdir(ino, cookie, ENTRIES);
      if (count === 0) return list;
      const { bytes, view } = this;
      for (let index = 0, at = 0; index < count; index += 1) {
        const start = at + 18;
        const end = start + view.getUint8(at + 17);
        cookie = view.getFloat64(at + 8, true);
        list.push({
          ino: view.getFloat64(at, true),
          type: view.getUint8(at + 16),
          name: decodeName(bytes.subarray(start, end)),
        });
        at = end;
      }
    }
  }

  /** A copy of up to {@link PIECE} bytes at `offset`; shorter only at the end of the file. */
  read(ino: number, offset: number, length: number): Uint8Array<ArrayBuffer> {
    const count = this.raw.read(ino, offset, Math.min(length, PIECE));
    return this.bytes.slice(0, count);
  }

  /** Writes up to {@link PIECE} bytes at `offset`. */
  write(ino: number, offset: number, source: Uint8Array): void {
    if (source.length === 0) return;
    this.bytes.set(source, 0);
    this.raw.write(ino, offset, source.length);
  }
}
