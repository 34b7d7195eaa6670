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
const FREE_BYTES = 2 << 20;
const FREE_PART = 0.05;
/** How often the plane is painted anew while the index grows. */
const REPAINT = 1200;
const MOST_ITEMS = 1 << 16;

type State = 'stopped' | 'running' | 'complete';

export class Indexer {
  readonly #session: Session;
  /** Called when tiles show more than before. */
  readonly #painted: () => void;
  #view: View;
  #state: State = 'stopped';
  /** Counts up with every start, so that an older run notices that it is over. */
  #run = 0;
  #items = 256;
  #spent = 0;
  #allowed: number;
  #waiters: (() => void)[] = [];
  #waiting = false;
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

  /** Reads the index of `view` from now on, or again after a change. */
  start(view: View): void {
    this.#view = view;
    void this.#read(++this.#run);
  }

  stop(): void {
    this.#run += 1;
    this.#state = 'stopped';
    this.#wake();
  }

  /** Lets a remote map's index be read to its end. */
  allowAll(): void {
    this.#allowed = Infinity;
    if (this.#waiting) this.start(this.#view);
  }

  /** Waits until the index of the view that is shown is complete, or will not get further. */
  async finished(): Promise<void> {
    while (this.#state === 'running') {
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  #wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  async #read(run: number): Promise<void> {
    this.#state = 'running';
    this.#waiting = false;
    const view = this.#view;
    const started = performance.now();
    try {
      for (;;) {
        await breathe();
        if (run !== this.#run || this.#session.closed || view.closed) return;
        if (this.#isSpent()) {
          this.#waiting = true;
          this.#state = 'stopped';
          this.#tell(view, true);
          this.#repaint();
          return;
        }
        const progress = await this.#slice(view);
        if (run !== this.#run || this.#session.closed) return;
        if (progress.complete) {
          this.#state = 'complete';
          this.#session.tell({ type: 'index', ...progress, waiting: false });
          this.#painted();
          return;
        }
        // A short walk is not worth telling of.
        if (performance.now() - started > 150) {
          this.#session.tell({ type: 'index', ...progress, waiting: false });
          this.#repaint();
        }
      }
    } catch (error) {
      if (run !== this.#run) return;
      this.#state = 'stopped';
      const failed = explain(error);
      if (failed.code !== 'ABORTED') {
        this.#tell(view, this.#session.backing.remote !== undefined);
        this.#session.tell({ type: 'failed', problem: failed.plain() });
      }
    } finally {
      if (this.#state !== 'running' || run === this.#run) this.#wake();
    }
  }

  #isSpent(): boolean {
    return this.#session.backing.remote !== undefined && this.#spent >= this.#allowed;
  }

  /** One slice, as long as {@link SLICE} says. */
  async #slice(view: View): Promise<{ done: number; total: number; complete: boolean }> {
    const { remote } = this.#session.backing;
    const before = performance.now();
    const fetched = remote?.fetched ?? 0;
    const progress = await this.#session.reading(({ plane }) => plane.index(this.#items), view);
    this.#spent += (remote?.fetched ?? 0) - fetched;
    if (remote === undefined) {
      const took = Math.max(0.1, performance.now() - before);
      const fitting = (this.#items * SLICE) / took;
      this.#items = Math.round(
        Math.min(MOST_ITEMS, Math.max(16, this.#items / 2, Math.min(fitting, this.#items * 2))),
      );
    } else if (progress.complete === false) {
      // Room for what the visitor looks at.
      await sleep(0);
    }
    return progress;
  }

  #tell(view: View, waiting: boolean): void {
    if (view.closed || this.#session.closed) return;
    let progress = { done: 0, total: 0, complete: false };
    try {
      progress = view.plane.index(0);
    } catch {
      // Where not even this can be read, nothing is known of it.
    }
    this.#session.tell({ type: 'index', ...progress, waiting });
  }
}
