/** A visitor's file, read where it lies. */
import { aborted, problem, throughEngine } from '../problems';
import type { Backing } from './backing';
import type { Range } from './blocks';
import { CachedStorage } from './cached';

/** The system caches files itself; this only spares it from small reads. */
const BUDGET = 16 << 20;

export class FileStorage extends CachedStorage {
  readonly #file: Blob;
  readonly #reader = new FileReaderSync();
  #closed = false;

  constructor(file: Blob) {
    super(file.size, BUDGET);
    this.#file = file;
  }

  protected override load({ from, to }: Range): Uint8Array {
    if (this.#closed) throw throughEngine(aborted());
    try {
      return new Uint8Array(this.#reader.readAsArrayBuffer(this.#file.slice(from, to)));
    } catch (error) {
      throw throughEngine(
        problem(
          'EIO',
          'unreadable',
          'The file has changed, moved or become inaccessible since it was opened.',
          'Choose it again.',
          error,
        ),
      );
    }
  }

  close(): void {
    this.#closed = true;
    this.cache.clear();
  }
}

export function fileBacking(file: File): Backing {
  const storage = new FileStorage(file);
  return {
    kind: 'file',
    address: file.name,
    title: file.name,
    writable: false,
    kept: false,
    storage,
    log: undefined,
    release: () => {
      storage.close();
      return Promise.resolve();
    },
  };
}
