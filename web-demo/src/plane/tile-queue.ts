/**
 * What the worker is asked to paint, and in which order.
 *
 * The worker paints one tile after another. A few requests are on their way at a time, so that it
 * never waits; the rest is kept here, where the nearest to the middle of the view goes first and
 * what has left the view is never asked for.
 */
const ON_THEIR_WAY = 4;

export interface TileJob {
  /** Smaller goes first. Asked again whenever one is chosen, for the view moves. */
  urgency(): number;
  work(): Promise<void>;
}

export class TileQueue {
  private readonly waiting = new Set<TileJob>();
  private running = 0;
  private scheduled = false;

  add(job: TileJob): void {
    this.waiting.add(job);
    if (this.scheduled) return;
    // Jobs come in bursts; choosing among all of a burst gives the right first one.
    this.scheduled = true;
    queueMicrotask(() => {
      this.scheduled = false;
      this.pump();
    });
  }

  drop(job: TileJob): void {
    this.waiting.delete(job);
  }

  private pump(): void {
    while (this.running < ON_THEIR_WAY && this.waiting.size > 0) {
      const job = this.first();
      this.waiting.delete(job);
      this.running += 1;
      void job.work().finally(() => {
        this.running -= 1;
        this.pump();
      });
    }
  }

  private first(): TileJob {
    let best: TileJob | undefined;
    let bestUrgency = Infinity;
    for (const job of this.waiting) {
      const urgency = job.urgency();
      if (best === undefined || urgency < bestUrgency) {
        best = job;
        bestUrgency = urgency;
      }
    }
    return best as TileJob;
  }
}
