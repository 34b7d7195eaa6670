/** Progress for the page: seldom enough not to flood it, and never failing the work. */
import type { OnProgress, Progress } from '../engine/contract';

const INTERVAL = 80;

export class Reporter {
  readonly #listener: OnProgress | undefined;
  #next = 0;

  constructor(listener: OnProgress | undefined) {
    this.#listener = listener;
  }

  /** Tells of progress, unless that was done a moment ago. */
  tell(done: number, total: number, at?: string): void {
    const now = performance.now();
    if (now < this.#next) return;
    this.#next = now + INTERVAL;
    this.#send(at === undefined ? { done, total } : { done, total, at });
  }

  /** Tells of it in any case. */
  end(done: number, total: number): void {
    this.#send({ done, total });
  }

  #send(progress: Progress): void {
    // Across threads this is a promise, which fails when the page has gone.
    const sent = this.#listener?.(progress) as unknown;
    if (sent instanceof Promise) sent.catch(() => undefined);
  }
}
