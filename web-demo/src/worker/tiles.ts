/**
 * Tiles on demand: the newest request first, since the visitor has moved on from older ones, and
 * each tile painted once however often it is asked for.
 *
 * For a remote map several are looked at together, so that what they lack is fetched in parallel.
 */
import type { Tile, TileRequest } from '../engine/contract';
import { breathe } from './pace';
import { aborted } from './problems';
import { peek, type Session } from './session';
import { TableReader } from './table';
import type { View } from './view';

/** Tiles of a remote map that fetch together. */
const TOGETHER = 12;
/** Requests that are waiting at most; the oldest are given up, the page has long left them. */
const WAITING = 600;
/** Pixels on the side of a cluster. */
const CLUSTER_SIDE = 32;
/** Clusters the engine keeps the facts of (3 bytes each, of 48 MiB); a map has 64 GiB then. */
const KEPT_CLUSTERS = 1 << 24;
/** A tile of a map on this machine waits for no more pages of the table than this. */
const SLOW = 48;
/** A tile of a remote map that needs more pages of the table than this shows it from afar … */
const FAR = 8;
/** … and is fetched for only while less than this is here: the larger of both. */
const FREE_BYTES = 8 << 20;
const FREE_PART = 0.05;
/** The same for the pixels themselves, in bytes. */
const RAW_BYTES = 1 << 20;

interface Waiter {
  resolve: (tile: Tile) => void;
  reject: (error: unknown) => void;
}

interface Job {
  key: string;
  view: View;
  request: TileRequest;
  waiters: Waiter[];
}

export class TileQueue {
  readonly #session: Session;
  /** Which view a layer shows. */
  readonly #viewOf: (request: TileRequest) => View;
  readonly #jobs: Job[] = [];
  readonly #table: TableReader;
  #working = false;
  /** Whether the visitor asked to read all of a remote map's table. */
  all = false;

  /** @param painted called when tiles show more than before */
  constructor(session: Session, viewOf: (request: TileRequest) => View, painted: () => void) {
    this.#session = session;
    this.#viewOf = viewOf;
    this.#table = new TableReader(session, painted);
  }

  request(request: TileRequest): Promise<Tile> {
    const view = this.#viewOf(request);
    const { layer, theme, zoom, column, row, size } = request;
    const key = `${view.name ?? ''}\0${layer} ${theme} ${zoom} ${column} ${row} ${size}`;
    return new Promise((resolve, reject) => {
      const at = this.#jobs.findIndex((job) => job.key === key && job.view === view);
      const job = this.#jobs[at] ?? { key, view, request, waiters: [] };
      if (at >= 0) this.#jobs.splice(at, 1);
      job.waiters.push({ resolve, reject });
      this.#jobs.push(job);
      const oldest = this.#jobs.length > WAITING ? this.#jobs.shift() : undefined;
      for (const waiter of oldest?.waiters ?? []) waiter.reject(aborted('Newer tiles came first.'));
      if (!this.#working) void this.#work();
    });
  }

  /** Gives up everything that waits. */
  clear(): void {
    this.#table.clear();
    for (const { waiters } of this.#jobs.splice(0)) {
      for (const { reject } of waiters) reject(aborted());
    }
  }

  async #work(): Promise<void> {
    this.#working = true;
    const remote = this.#session.backing.remote !== undefined;
    try {
      // Requests that arrive together are all here before the first is chosen.
      await breathe();
      while (this.#jobs.length > 0) {
        const batch = this.#jobs.splice(-(remote ? TOGETHER : 1)).reverse();
        if (remote) await this.#fetch(batch);
        for (const job of batch) await this.#finish(job);
        await breathe();
      }
    } finally {
      this.#working = false;
    }
  }

  async #finish(job: Job): Promise<void> {
    const { view, request, waiters } = job;
    const session = this.#session;
    try {
      session.check(view);
      let painted: Painted;
      if (this.#isFar(view, request)) {
        painted = paintFar(session, view, request);
        if (session.backing.remote === undefined && isKept(view)) this.#table.want(view, request);
      } else {
        painted = await session.reading(() => paint(view, request, false), view);
      }
      const { image, partial } = painted;
      for (const waiter of waiters) {
        waiter.resolve({ bitmap: await bitmapOf(image), partial });
      }
    } catch (error) {
      for (const waiter of waiters) waiter.reject(error);
    }
  }

  /** Whether a tile shows so much that it is painted from what is here. */
  #isFar(view: View, { layer, zoom, column, row, size }: TileRequest): boolean {
    const { remote } = this.#session.backing;
    if (remote === undefined) {
      return layer !== 'raw' && view.plane.prefetch(zoom, column, row, size, 0) > SLOW;
    }
    if (this.all) return false;
    if (layer === 'raw') {
      const side = size / 2 ** zoom;
      return Math.min(side * side * 4, remote.size) > RAW_BYTES;
    }
    if (remote.fetched < Math.max(FREE_BYTES, remote.size * FREE_PART)) return false;
    return view.plane.prefetch(zoom, column, row, size, 0) > FAR;
  }

  /** Fetches what a batch lacks: a first try of painting finds all of it. */
  async #fetch(batch: Job[]): Promise<void> {
    const session = this.#session;
    const { remote } = session.backing;
    if (remote === undefined) return;
    let lacking = false;
    for (const { view, request } of batch) {
      if (session.closed || view.closed) return;
      if (this.#isFar(view, request)) continue;
      remote.collect();
      try {
        paint(view, request, false);
      } catch {
        // Told when the tile is painted.
      } finally {
        lacking = remote.settle() || lacking;
      }
    }
    // A failure is told to those who wait for the tile.
    if (lacking) await remote.fetchMissing().catch(() => undefined);
  }
}

/** Whether the engine keeps what it has read of the whole table: else reading it would never end. */
function isKept({ plane }: View): boolean {
  const { sheet, sheets } = plane.layout();
  return sheets * (sheet / CLUSTER_SIDE) ** 2 <= KEPT_CLUSTERS;
}

interface Painted {
  image: ImageData;
  partial: boolean;
}

function paint({ plane }: View, request: TileRequest, known: boolean): Painted {
  const { layer, theme, zoom, column, row, size } = request;
  const address = plane.paint(layer, theme, zoom, column, row, size, known);
  return { image: imageAt(plane.memory, address, size), partial: plane.partial };
}

/** Paints only what is here; the rest shows as unknown. */
function paintFar(session: Session, view: View, request: TileRequest): Painted {
  const { value, whole } = peek(session.backing.remote, () => {
    try {
      return paint(view, request, true);
    } catch (error) {
      return { error };
    }
  });
  if (!('error' in value)) return { image: value.image, partial: true };
  if (whole) throw value.error;
  return { image: new ImageData(request.size, request.size), partial: true };
}

/** A copy of an image in wasm memory, where the next call paints over it. */
export function imageAt(memory: WebAssembly.Memory, address: number, size: number): ImageData {
  const bytes = new Uint8ClampedArray(memory.buffer, address, size * size * 4);
  return new ImageData(new Uint8ClampedArray(bytes), size, size);
}

export function bitmapOf(image: ImageData): Promise<ImageBitmap> {
  // The bytes of the raw layer are colours as they are.
  return createImageBitmap(image, { premultiplyAlpha: 'none', colorSpaceConversion: 'none' });
}
