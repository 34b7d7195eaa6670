/**
 * The index of owners (which file holds which cluster), read on in small slices between requests.
 *
 * A remote map's index can be large: it is read by itself only while it has fetched little, then
 * it waits for the visitor.
 */
import { breathe, sleep, throttled } from './pace';
import { explain } from './problems';
import type { Session } from './session';
import type { View } from './view';

/** Time of one slice. */
const SLICE = 6;
/** What the index of a remote map fetches by itself: the larger of both. */
const FREE_BYTES = 32 << 20;
const FREE_PART = 0.125;
/** How often the plane is painted anew while the index grows. */
const REPAINT = 600;
const MOST_ITEMS = 1 << 16;
/** So long after a change others are expected, and then a slice is followed by this rest. */
const BUSY = 800;
const REST = 24;

export class Indexer {
  readonly #session: Session;
  /** Called when tiles show more than before. */
  readonly #painted: () => void;
  #view: View;
  /** Counts up with every start, so that an older run notices that it is over. */
  #run = 0;
  #items = 256;
  #spent = 0;
  #allowed: number;
  #waiting = false;
  /** A run goes on. */
  #active = false;
  #busyUntil = 0;
  readonly #repaint = throttled(() => {
    if (!this.#session.closed) this.#painted();
  }, REPAINT);

  constructor(session: Session, painted: () => void) {
    this.#session = session;
    this.#painted = painted;
    this.#view = session.shown;
    const size = session.backing.remote?.size ?? 0;
    this.#allowed = Math.max(FREE_BYTES, size * FREE_PART);
  }

  /** Reads the index of `view` from now on. */
  start(view: View): void {
    this.#view = view;
    void this.#read(++this.#run);
  }

  /** Reads on after a change of `view`, at leisure while more of them come. */
  follow(view: View): void {
    this.#busyUntil = performance.now() + BUSY;
    if (!this.#active || this.#view !== view) this.start(view);
  }

  stop(): void {
    this.#run += 1;
    this.#active = false;
  }

  /** Lets a remote map's index be read to its end. */
  allowAll(): void {
    this.#allowed = Infinity;
    if (this.#waiting) this.start(this.#view);
  }

  /** Whether another run has begun, or there is nothing left to read. */
  #isOver(run: number, view: View): boolean {
    return run !== this.#run || this.#session.closed || view.closed;
  }

  async #read(run: number): Promise<void> {
    const session = this.#session;
    const view = this.#view;
    const started = performance.now();
    this.#waiting = false;
    this.#active = true;
    try {
      for (;;) {
        if (performance.now() < this.#busyUntil) await sleep(REST);
        else await breathe();
        if (this.#isOver(run, view)) return;
        if (this.#isSpent()) {
          this.#wait(view);
          return;
        }
        const progress = await this.#slice(view);
        if (this.#isOver(run, view)) return;
        // A short walk is not worth telling of before its end.
        if (progress.complete || performance.now() - started > 150) {
          session.tell({ type: 'index', ...progress, waiting: false });
        }
        if (progress.complete) {
          this.#painted();
          return;
        }
        this.#repaint();
      }
    } catch (error) {
      if (this.#isOver(run, view)) return;
      this.#wait(view);
      session.tell({ type: 'failed', problem: explain(error).plain() });
    } finally {
      if (run === this.#run) this.#active = false;
    }
  }

  /** Leaves the rest to the visitor. */
  #wait(view: View): void {
    this.#waiting = true;
    let progress = { done: 0, total: 0, complete: false };
    try {
      progress = view.plane.index(0);
    } catch {
      // Where not even this can be read, nothing is known of it.
    }
    this.#repaint();
    this.#session.tell({ type: 'index', ...progress, waiting: true });
  }

  #isSpent(): boolean {
    return this.#session.backing.remote !== undefined && this.#spent >= this.#allowed;
  }

  /** One slice, as long as {@link SLICE} says. */
  async #slice(view: View): Promise<{ done: number; total: number; complete: boolean }> {
    const { remote } = this.#session.backing;
    const before = performance.now();
    const progress = await this.#session.reading(
      ({ plane }) => plane.index(this.#items),
      view,
      (bytes) => (this.#spent += bytes),
    );
    if (remote === undefined) {
      const took = Math.max(0.1, performance.now() - before);
      const fitting = (this.#items * SLICE) / took;
      this.#items = Math.round(
        Math.min(MOST_ITEMS, Math.max(16, this.#items / 2, Math.min(fitting, this.#items * 2))),
      );
    } else if (!progress.complete) {
      // Room for what the visitor looks at.
      await sleep(0);
    }
    return progress;
  }
}
