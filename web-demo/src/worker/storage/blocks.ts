/**
 * Blocks of a file that lies elsewhere: a bounded cache, and which runs of it to get next.
 *
 * Pure arithmetic and memory; who gets the bytes is the storage's business.
 */

/** Small against a band, which is what the engine reads for one cluster: little comes in vain. */
export const BLOCK = 4 * 1024;
/** Most bytes one run has: what a sequential reader is given ahead. */
const RUN = 1 << 20;
const FIRST_AHEAD = 64 * 1024;

/** Bytes [from, to). */
export interface Range {
  from: number;
  to: number;
}

/** Blocks by number; the longest unused go first. */
export class BlockCache {
  readonly #blocks = new Map<number, Uint8Array>();
  readonly #most: number;

  constructor(budget: number) {
    this.#most = Math.max(1, Math.floor(budget / BLOCK));
  }

  has(block: number): boolean {
    return this.#blocks.has(block);
  }

  get(block: number): Uint8Array | undefined {
    const bytes = this.#blocks.get(block);
    if (bytes === undefined) return undefined;
    // A map keeps the order of insertion: the last is the one used last.
    this.#blocks.delete(block);
    this.#blocks.set(block, bytes);
    return bytes;
  }

  put(block: number, bytes: Uint8Array): void {
    this.#blocks.delete(block);
    this.#blocks.set(block, bytes);
    for (const oldest of this.#blocks.keys()) {
      if (this.#blocks.size <= this.#most) return;
      this.#blocks.delete(oldest);
    }
  }

  /** Takes in the bytes of a run that begins at a block. */
  putRun(from: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += BLOCK) {
      // A copy, so that one block kept does not keep its whole run.
      this.put((from + at) / BLOCK, bytes.slice(at, at + BLOCK));
    }
  }

  clear(): void {
    this.#blocks.clear();
  }
}

/** The blocks [first, last] that hold bytes [from, to). */
export function blocksOf({ from, to }: Range): [first: number, last: number] {
  return [Math.floor(from / BLOCK), Math.floor((to - 1) / BLOCK)];
}

/**
 * The runs of whole blocks, merged where they touch, that hold what `cache` lacks of `ranges`.
 * @param except blocks that are not wanted all the same
 */
export function missingRuns(
  ranges: Iterable<Range>,
  cache: BlockCache,
  size: number,
  except: (block: number) => boolean = () => false,
): Range[] {
  const wanted = new Set<number>();
  for (const range of ranges) {
    const [first, last] = blocksOf(range);
    for (let block = first; block <= last; block += 1) {
      if (!cache.has(block) && !except(block)) wanted.add(block);
    }
  }
  const runs: Range[] = [];
  for (const block of [...wanted].sort((a, b) => a - b)) {
    const from = block * BLOCK;
    const to = Math.min(from + BLOCK, size);
    const last = runs.at(-1);
    if (last?.to === from && to - last.from <= RUN) last.to = to;
    else runs.push({ from, to });
  }
  return runs;
}

/** Grows what is read ahead while reads follow one another, as a system's own read-ahead does. */
export class ReadAhead {
  #expected = -1;
  #ahead = 0;

  /** The run to get for a missing one; at most 1 MiB more. */
  extend(run: Range, size: number): Range {
    this.#ahead =
      run.from === this.#expected ? Math.min(RUN, Math.max(FIRST_AHEAD, this.#ahead * 2)) : 0;
    const to = Math.min(size, run.to + this.#ahead);
    this.#expected = to;
    return { from: run.from, to };
  }
}
