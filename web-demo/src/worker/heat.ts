/** Reads that the page makes: they warm files, and can be recorded and played again. */
import type { OnProgress, Recording } from '../engine/contract';
import { fileAt, pieces, tidyPath } from './files';
import { Pace, sleep, throttled } from './pace';
import { problem } from './problems';
import { Reporter } from './progress';
import type { Session } from './session';

const READS = 100_000;
/** How often the page hears of heat. */
const WARM_INTERVAL = 600;

export class Heat {
  readonly #session: Session;
  #recording: { since: number; reads: Recording['reads'] } | undefined;
  #replaying: { stopped: boolean } | undefined;
  /** Late enough for the read that called for it to be answered first. */
  readonly #warm = throttled(() => {
    setTimeout(() => {
      if (this.#session.closed) return;
      this.#session.onHeat();
      this.#session.tell({ type: 'heat' });
    });
  }, WARM_INTERVAL);

  constructor(session: Session) {
    this.#session = session;
  }

  /** Called after every read that the visitor wanted. */
  noted(path: string, offset: number, length: number): void {
    const { reads, since } = this.#recording ?? {};
    if (reads !== undefined && since !== undefined && reads.length < READS) {
      reads.push([Math.round(performance.now() - since), path, offset, length]);
    }
    this.#warm();
  }

  startRecording(): void {
    this.#recording = { since: performance.now(), reads: [] };
  }

  stopRecording(): Recording {
    const recording = this.#recording;
    if (recording === undefined) {
      throw problem('EINVAL', 'invalid', 'Nothing is being recorded.');
    }
    this.#recording = undefined;
    return {
      version: 1,
      map: this.#session.backing.title,
      duration: Math.round(performance.now() - recording.since),
      reads: recording.reads,
    };
  }

  async replay(
    recording: Recording,
    speed: number,
    onProgress: OnProgress | undefined,
  ): Promise<void> {
    check(recording, speed);
    this.stopReplay();
    const mine: { stopped: boolean } = { stopped: false };
    this.#replaying = mine;
    const stopped = (): boolean => mine.stopped || this.#session.closed;
    const reporter = new Reporter(onProgress);
    const total = recording.reads.length;
    const start = performance.now();
    const pace = new Pace();
    let done = 0;
    for (const [time, path, offset, length] of recording.reads) {
      while (!stopped()) {
        const wait = start + time / speed - performance.now();
        if (wait <= 0) break;
        await sleep(Math.min(wait, 100));
      }
      if (stopped()) break;
      await this.#readAgain(path, offset, length);
      done += 1;
      reporter.tell(done, total, path);
      await pace.step();
    }
    if (this.#replaying === mine) this.#replaying = undefined;
    reporter.end(done, total);
  }

  stopReplay(): void {
    if (this.#replaying !== undefined) this.#replaying.stopped = true;
  }

  /** Reads what was read; what is no longer there is passed over. */
  async #readAgain(given: string, offset: number, length: number): Promise<void> {
    const session = this.#session;
    const path = tidyPath(given);
    const view = session.shown;
    try {
      const { ino, size } = await session.reading(({ gate }) => fileAt(gate, path), view);
      const count = Math.max(0, Math.min(length, size - offset));
      const reading = pieces(session, view, ino, offset, count);
      while ((await reading.next()).done !== true);
      this.noted(path, offset, count);
    } catch {
      // Moved, removed or damaged since it was recorded.
    }
  }
}

/** A recording comes from a file and may be anything. */
function check(recording: Recording, speed: number): void {
  const reads: unknown = (recording as Partial<Recording> | null)?.reads;
  const whole = (value: unknown): boolean =>
    typeof value === 'number' && Number.isFinite(value) && value >= 0;
  const good =
    Array.isArray(reads) &&
    reads.every(
      (one: unknown) =>
        Array.isArray(one) &&
        whole(one[0]) &&
        typeof one[1] === 'string' &&
        whole(one[2]) &&
        whole(one[3]),
    );
  if (!good || !(speed > 0)) {
    throw problem('EINVAL', 'invalid', 'That is no recording of reads.');
  }
}
