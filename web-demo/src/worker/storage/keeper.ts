/** Where this browser keeps things: in files of its own, or in memory where it offers none. */
import type { Keeping, StoredMap } from '../../engine/contract';
import type { HostStorage } from '../engine-types';
import { problem } from '../problems';
import type { Backing } from './backing';
import { memoryBacking, MemoryStorage } from './memory';
import { Opfs } from './opfs';

/** A file being made. It ends by one of the three calls. */
export interface Draft {
  readonly storage: HostStorage;
  /** Makes it a map of this browser. */
  adopt(wanted: string): Promise<Backing>;
  /** Gives it to the visitor. */
  give(name: string, type: string): Promise<File>;
  discard(): Promise<void>;
}

export class Keeper {
  readonly #opfs: Opfs | undefined;
  #askedToPersist = false;

  private constructor(opfs: Opfs | undefined) {
    this.#opfs = opfs;
  }

  static async start(): Promise<Keeper> {
    return new Keeper(await Opfs.start());
  }

  async keeping(): Promise<Keeping> {
    const available = this.#opfs !== undefined;
    try {
      const { usage = 0, quota = 0 } = await navigator.storage.estimate();
      return { available, persisted: await navigator.storage.persisted(), usage, quota };
    } catch {
      return { available, persisted: false, usage: 0, quota: 0 };
    }
  }

  list(): Promise<StoredMap[]> {
    return this.#opfs?.list() ?? Promise.resolve([]);
  }

  async delete(name: string): Promise<void> {
    await this.#opfs?.delete(name);
  }

  open(name: string): Promise<Backing> {
    if (this.#opfs === undefined) {
      throw problem(
        'ENOTSUP',
        'nothing-kept',
        'This browser keeps no maps here.',
        'Leave private browsing, or allow this site to store data.',
      );
    }
    return this.#opfs.open(name);
  }

  async draft(): Promise<Draft> {
    const opfs = this.#opfs;
    if (opfs === undefined) return memoryDraft();
    const file = await opfs.create();
    return {
      storage: file.storage,
      adopt: async (wanted) => {
        await this.#askToPersist();
        return opfs.open(await opfs.adopt(file, wanted));
      },
      give: (name, type) => opfs.give(file, name, type),
      discard: () => opfs.discard(file),
    };
  }

  /** Asks the browser once not to evict what is kept; it may refuse. */
  async #askToPersist(): Promise<void> {
    if (this.#askedToPersist) return;
    this.#askedToPersist = true;
    // Workers of some browsers lack it; a browser that asks the visitor is not waited for.
    const { storage } = navigator as { storage: Partial<StorageManager> };
    const asked = storage.persist?.().catch(() => false);
    await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, 200))]);
  }
}

function memoryDraft(): Draft {
  const storage = new MemoryStorage();
  return {
    storage,
    adopt: (wanted) => Promise.resolve(memoryBacking(wanted, storage)),
    give: (name, type) => Promise.resolve(storage.toFile(name, type)),
    discard: () => Promise.resolve(),
  };
}
