/**
 * The allocation table of a large map, read on in small slices for the tiles that wait for it: far
 * tiles are painted from what is known at once, and fill up while this goes on.
 */
import type { TileRequest } from '../engine/contract';
import { breathe, throttled } from './pace';
import type { Session } from './session';
import type { View } from './view';

/** Time of one slice, and how often the plane is painted anew meanwhile. */
const SLICE = 12;
const REPAINT = 350;
/** Tiles that are remembered: more than a screen shows. */
const TILES = 64;
const MOST_PAGES = 4096;

interface Wish {
  view: View;
  request: TileRequest;
}

export class TableReader {
  readonly #session: Session;
  readonly #wishes: Wish[] = [];
  readonly #repaint: () => void;
  #pages = 8;
  #working = false;

  /** @param painted called when tiles show more than before */
  constructor(session: Session, painted: () => void) {
    this.#session = session;
    this.#repaint = throttled(() => {
      if (!session.closed) painted();
    }, REPAINT);
  }

  /** Reads what a tile needs, before what others need. */
  want(view: View, request: TileRequest): void {
    this.#wishes.push({ view, request });
    if (this.#wishes.length > TILES) this.#wishes.shift();
    if (!this.#working) void this.#work();
  }

  clear(): void {
    this.#wishes.length = 0;
  }

  async #work(): Promise<void> {
    this.#working = true;
    try {
      for (let wish = this.#wishes.at(-1); wish !== undefined; wish = this.#wishes.at(-1)) {
        await breathe();
        if (this.#session.closed) return;
        const missing = wish.view.closed ? undefined : this.#slice(wish);
        if (missing === undefined || missing === 0) {
          const at = this.#wishes.indexOf(wish);
          if (at >= 0) this.#wishes.splice(at, 1);
        }
        // A repaint asks for its tiles again: only where there is more to show, or it would never end.
        if (missing !== undefined) this.#repaint();
      }
    } finally {
      this.#working = false;
    }
  }

  /** One slice; returns the pages that are still missing, undefined where the storage fails. */
  #slice({ view, request: { zoom, column, row, size } }: Wish): number | undefined {
    const before = performance.now();
    try {
      return view.plane.prefetch(zoom, column, row, size, this.#pages);
    } catch {
      return undefined;
    } finally {
      const fitting = (this.#pages * SLICE) / Math.max(0.1, performance.now() - before);
      this.#pages = Math.round(Math.min(MOST_PAGES, Math.max(1, fitting), this.#pages * 2));
    }
  }
}
