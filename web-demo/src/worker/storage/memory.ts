/** A file in memory, for browsers that keep nothing: pages, so that growing never copies. */
import type { HostStorage } from '../engine-types';
import { endOfFile, type Backing } from './backing';

const PAGE = 1 << 20;

export class MemoryStorage implements HostStorage {
  readonly #pages: (Uint8Array<ArrayBuffer> | undefined)[] = [];
  #length = 0;

  readAt(offset: number, target: Uint8Array): void {
    if (offset + target.length > this.#length) throw endOfFile(offset, target.length);
    for (let done = 0; done < target.length;) {
      const inside = (offset + done) % PAGE;
      const count = Math.min(PAGE - inside, target.length - done);
      const page = this.#pages[Math.floor((offset + done) / PAGE)];
      if (page === undefined) target.fill(0, done, done + count);
      else target.set(page.subarray(inside, inside + count), done);
      done += count;
    }
  }

  writeAt(offset: number, source: Uint8Array): void {
    for (let done = 0; done < source.length;) {
      const inside = (offset + done) % PAGE;
      const count = Math.min(PAGE - inside, source.length - done);
      const index = Math.floor((offset + done) / PAGE);
      const page = (this.#pages[index] ??= new Uint8Array(PAGE));
      page.set(source.subarray(done, done + count), inside);
      done += count;
    }
    this.#length = Math.max(this.#length, offset + source.length);
  }

  sync(): void {
    // Memory is as durable as it gets.
  }

  length(): number {
    return this.#length;
  }

  setLength(length: number): void {
    const pages = Math.ceil(length / PAGE);
    if (pages < this.#pages.length) this.#pages.length = pages;
    if (length < this.#length) this.#pages[pages - 1]?.fill(0, length - (pages - 1) * PAGE);
    this.#length = length;
  }

  /** The bytes as a file of the page. */
  toFile(name: string, type: string): File {
    const parts: BlobPart[] = [];
    for (let at = 0; at < this.#length; at += PAGE) {
      const page = this.#pages[at / PAGE] ?? new Uint8Array(PAGE);
      parts.push(page.subarray(0, Math.min(PAGE, this.#length - at)));
    }
    return new File(parts, name, { type });
  }
}

/** A map that lives as long as the page. */
export function memoryBacking(title: string, storage = new MemoryStorage()): Backing {
  return {
    kind: 'memory',
    address: title,
    title,
    writable: true,
    kept: false,
    storage,
    log: undefined,
    release: () => Promise.resolve(),
  };
}
