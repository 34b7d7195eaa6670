/**
 * `fs.Dir`: a directory read entry by entry.
 */

import type { OpenDirOptions } from 'node:fs';
import { invalidValue } from '../errors.js';
import type { Entry } from '../gate.js';
import { DT } from '../gate.js';
import { checkCallback, checkEncoding, checkOptions, checkPath } from './arguments.js';
import { direntOf, type Dirent } from './stats.js';
import type { Volume } from './volume.js';

type Callback = (error: Error | null, entry?: AnyDirent | null) => void;
type AnyDirent = Dirent<string | Buffer>;

const DEFAULT_BUFFER = 32;

function dirClosed(): Error {
  return Object.assign(new Error('Directory handle was closed'), { code: 'ERR_DIR_CLOSED' });
}

interface Place {
  readonly ino: number;
  readonly path: string;
}

/** An open directory; also an async iterable that closes itself at the end. */
export class Dir implements AsyncIterable<AnyDirent> {
  readonly path: string;
  readonly #volume: Volume;
  readonly #encoding: BufferEncoding | 'buffer';
  readonly #size: number;
  readonly #recursive: boolean;
  readonly #waiting: Place[];
  #at: Place | undefined;
  #cookie: number | undefined = 0;
  #ready: Entry[] = [];
  #next = 0;
  #closed = false;

  /** Opens the directory `path`; `bufferSize` entries are read at once. */
  constructor(volume: Volume, path: unknown, options?: unknown) {
    const given = checkOptions<OpenDirOptions>(options);
    const checked = checkPath(path);
    this.#size = given.bufferSize ?? DEFAULT_BUFFER;
    if (!Number.isInteger(this.#size) || this.#size < 1) {
      throw invalidValue('bufferSize', 'must be a positive integer', this.#size);
    }
    this.#encoding = checkEncoding(given.encoding, 'utf8');
    this.#recursive = given.recursive === true;
    this.#volume = volume;
    this.path = typeof checked === 'string' ? checked : Buffer.from(checked).toString();
    const ino = volume.run('opendir', checked, () => {
      const found = volume.gate.resolve(checked, true);
      // The engine says ENOTDIR for what is no directory.
      volume.gate.raw.readdir(found, 0, 1);
      volume.gate.raw.retain(found);
      return found;
    });
    this.#at = { ino, path: this.path };
    this.#waiting = [];
    this.#root = ino;
  }

  readonly #root: number;

  /** The next entry, or null at the end. */
  readSync(): AnyDirent | null {
    if (this.#closed) throw dirClosed();
    for (;;) {
      const entry = this.#ready[this.#next];
      const place = this.#at;
      if (entry !== undefined && place !== undefined) {
        this.#next += 1;
        if (this.#recursive && entry.type === DT.DIR) {
          const path = `${place.path.replace(/\/+$/, '')}/${entry.name.toString()}`;
          this.#waiting.push({ ino: entry.ino, path });
        }
        return direntOf(entry, place.path, this.#encoding);
      }
      if (!this.#fill()) return null;
    }
  }

  /** Reads more entries; false when there are none left anywhere. */
  #fill(): boolean {
    const place = this.#at;
    if (place === undefined) return false;
    this.#ready = [];
    this.#next = 0;
    if (this.#cookie !== undefined) {
      const cookie = this.#cookie;
      this.#cookie = this.#volume.run('scandir', place.path, () =>
        this.#volume.gate.someEntries(place.ino, cookie, this.#size, this.#ready),
      );
      return true;
    }
    this.#at = this.#waiting.shift();
    this.#cookie = 0;
    return this.#at !== undefined;
  }

  read(): Promise<AnyDirent | null>;
  read(callback: Callback): void;
  read(callback?: Callback): Promise<AnyDirent | null> | undefined {
    if (callback === undefined) {
      return new Promise((resolve) => {
        resolve(this.readSync());
      });
    }
    const done = checkCallback(callback);
    try {
      process.nextTick(done, null, this.readSync());
    } catch (error) {
      process.nextTick(done, error);
    }
    return undefined;
  }

  closeSync(): void {
    if (this.#closed) throw dirClosed();
    this.#closed = true;
    this.#volume.run('closedir', this.path, () => {
      this.#volume.gate.raw.release(this.#root);
    });
  }

  close(): Promise<void>;
  close(callback: (error?: Error | null) => void): void;
  close(callback?: (error?: Error | null) => void): Promise<void> | undefined {
    if (callback === undefined) {
      return new Promise((resolve) => {
        this.closeSync();
        resolve();
      });
    }
    const done = checkCallback(callback);
    try {
      this.closeSync();
      process.nextTick(done, null);
    } catch (error) {
      process.nextTick(done, error);
    }
    return undefined;
  }

  async *entries(): AsyncGenerator<AnyDirent, void> {
    try {
      for (;;) {
        const entry = await this.read();
        if (entry === null) return;
        yield entry;
      }
    } finally {
      if (!this.#closed) await this.close();
    }
  }

  [Symbol.asyncIterator](): AsyncGenerator<AnyDirent, void> {
    return this.entries();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closed) await this.close();
  }
}
