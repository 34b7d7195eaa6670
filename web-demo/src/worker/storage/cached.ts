/** A file that is read in blocks which are kept for a while; read-only. */
import type { HostStorage } from '../engine-types';
import { endOfFile } from './backing';
import { BLOCK, blocksOf, BlockCache, missingRuns, ReadAhead, type Range } from './blocks';
import { problem, throughEngine } from '../problems';

export abstract class CachedStorage implements HostStorage {
  readonly size: number;
  protected readonly cache: BlockCache;
  readonly #ahead = new ReadAhead();

  constructor(size: number, budget: number) {
    this.size = size;
    this.cache = new BlockCache(budget);
  }

  /** Gets bytes [from, to) at once. */
  protected abstract load(run: Range): Uint8Array;

  /** Called before missing bytes are loaded; a storage that may not wait throws here. */
  protected missing(_range: Range): void {
    // Most may.
  }

  /** A run with what a sequential reader will want next. */
  protected ahead(run: Range): Range {
    return this.#ahead.extend(run, this.size);
  }

  readAt(offset: number, target: Uint8Array): void {
    const range = { from: offset, to: offset + target.length };
    if (range.to > this.size) throw endOfFile(offset, target.length);
    const [first, last] = blocksOf(range);
    const runs = missingRuns([range], this.cache, this.size);
    if (runs.length > 0) this.missing(range);
    // What a run brought is used before the next one can push it out of the cache.
    let loaded: { from: number; bytes: Uint8Array } | undefined;
    for (let block = first; block <= last; block += 1) {
      const from = block * BLOCK;
      let bytes = this.cache.get(block);
      if (bytes === undefined && loaded !== undefined) {
        const inside = from - loaded.from;
        if (inside < loaded.bytes.length) bytes = loaded.bytes.subarray(inside, inside + BLOCK);
      }
      if (bytes === undefined) {
        const run = runs.find((one) => one.from <= from && from < one.to);
        const wanted = this.ahead({ from, to: run?.to ?? Math.min(from + BLOCK, this.size) });
        loaded = { from, bytes: this.load(wanted) };
        this.cache.putRun(from, loaded.bytes);
        bytes = loaded.bytes.subarray(0, BLOCK);
      }
      const start = Math.max(0, offset - from);
      const end = Math.min(bytes.length, range.to - from);
      target.set(bytes.subarray(start, end), from + start - offset);
    }
  }

  writeAt(): void {
    throw this.#readOnly();
  }

  sync(): void {
    // Nothing is ever written.
  }

  length(): number {
    return this.size;
  }

  setLength(): void {
    throw this.#readOnly();
  }

  #readOnly(): Error {
    return throughEngine(problem('EROFS', 'read-only', 'This map can only be read here.'));
  }
}
