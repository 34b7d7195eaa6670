/**
 * A table of contents that somebody has already read, shared by all build workers.
 *
 * Open addressing over SHA-256. A slot goes from free over busy to the claiming unit's number + 1;
 * only the claimer writes the hash, while the slot is busy, so a reader that sees a number sees the
 * whole hash. Slots are never given back.
 */

const HASH_WORDS = 8;
const SLOT_WORDS = 1 + HASH_WORDS;
const FREE = 0;
const BUSY = -1;

/** Room for `entries` contents. */
export function claimsBuffer(entries: number): SharedArrayBuffer {
  let slots = 64;
  while (slots < entries * 2) slots *= 2;
  return new SharedArrayBuffer(slots * SLOT_WORDS * 4);
}

export class Claims {
  readonly #words: Int32Array;
  readonly #mask: number;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
    this.#mask = this.#words.length / SLOT_WORDS - 1;
  }

  /**
   * Claims the content with this hash for `unit`.
   * @param hash SHA-256, 32 bytes
   * @returns the unit that has it: `unit` itself, or the one that came before
   */
  claim(hash: Buffer, unit: number): number {
    const words = this.#words;
    let slot = hash.readUInt32LE(0) & this.#mask;
    // The table is at most half full; the bound only guards against a wrong size.
    for (let tries = 0; tries <= this.#mask; tries += 1) {
      const base = slot * SLOT_WORDS;
      let state = Atomics.compareExchange(words, base, FREE, BUSY);
      if (state === FREE) {
        for (let word = 0; word < HASH_WORDS; word += 1) {
          words[base + 1 + word] = hash.readInt32LE(word * 4);
        }
        Atomics.store(words, base, unit + 1);
        return unit;
      }
      while (state === BUSY) state = Atomics.load(words, base);
      if (this.#holds(base, hash)) return state - 1;
      slot = (slot + 1) & this.#mask;
    }
    return unit;
  }

  #holds(base: number, hash: Buffer): boolean {
    for (let word = 0; word < HASH_WORDS; word += 1) {
      if (this.#words[base + 1 + word] !== hash.readInt32LE(word * 4)) return false;
    }
    return true;
  }
}
