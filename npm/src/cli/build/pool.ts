/**
 * The build workers as one queue: orders go in by number, answers come out in that order.
 *
 * At most a few batches per worker are under way, so memory stays bounded whatever the tree's
 * size; the slots of finished answers are used again.
 */
import { Worker } from 'node:worker_threads';

import {
  type BatchAnswer,
  type BatchOrder,
  encodeUnits,
  SLOT_BYTES,
  type UnitOrder,
  type WorkerSetup,
} from './protocol.js';
import type { HostName } from './walker.js';

/** A batch before it has a number and a buffer. */
export interface Batch {
  readonly compress: boolean;
  readonly importance: number;
  readonly units: readonly UnitOrder[];
  /** Host path of each unit's file. */
  readonly paths: readonly HostName[];
}

/** Batches a worker has in hand or waiting. */
const AHEAD = 2;
/** Answers that may wait for an earlier one. */
const WAITING = 4;

export class Pool {
  readonly #workers: Worker[] = [];
  readonly #inHand: number[] = [];
  readonly #freeSlots: SharedArrayBuffer[] = [];
  readonly #answers = new Map<number, BatchAnswer>();
  #wake: (() => void) | undefined;
  #failure: Error | undefined;

  constructor(workers: number, setup: WorkerSetup) {
    for (let index = 0; index < workers; index += 1) {
      const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: setup });
      worker.on('message', (answer: BatchAnswer) => {
        this.#inHand[index] = (this.#inHand[index] ?? 1) - 1;
        this.#answers.set(answer.batch, answer);
        this.#wake?.();
      });
      worker.on('error', (error) => {
        this.#failure ??= error instanceof Error ? error : new Error(String(error));
        this.#wake?.();
      });
      worker.on('exit', (code) => {
        if (code !== 0) this.#failure ??= new Error(`a worker stopped with code ${String(code)}`);
        this.#wake?.();
      });
      this.#workers.push(worker);
      this.#inHand.push(0);
    }
  }

  /** Runs `batches` and hands every answer to `take`, in order. */
  async run(
    batches: Iterator<Batch>,
    take: (answer: BatchAnswer, batch: Batch, stored: Buffer) => void,
  ): Promise<void> {
    const underWay = new Map<number, { batch: Batch; slot: SharedArrayBuffer }>();
    let ordered = 0;
    let taken = 0;
    let more = true;
    for (;;) {
      while (more && underWay.size < this.#workers.length * AHEAD + WAITING) {
        const worker = this.#idlest();
        if (worker === undefined) break;
        const next = batches.next();
        if (next.done === true) {
          more = false;
          break;
        }
        const slot = this.#freeSlots.pop() ?? new SharedArrayBuffer(SLOT_BYTES);
        this.#post(worker, ordered, next.value, slot);
        underWay.set(ordered, { batch: next.value, slot });
        ordered += 1;
      }
      const answer = this.#answers.get(taken);
      const order = underWay.get(taken);
      if (answer !== undefined && order !== undefined) {
        this.#answers.delete(taken);
        underWay.delete(taken);
        taken += 1;
        take(answer, order.batch, Buffer.from(answer.overflow ?? order.slot));
        this.#freeSlots.push(order.slot);
        // Lets messages in, so that the workers get their next orders without delay.
        await new Promise<void>((resolve) => {
          setImmediate(resolve);
        });
        continue;
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (!more && underWay.size === 0) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  /** Stops all workers. */
  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #post(worker: number, number: number, batch: Batch, slot: SharedArrayBuffer): void {
    const order: BatchOrder = {
      batch: number,
      compress: batch.compress,
      paths: batch.paths,
      numbers: encodeUnits(batch.units),
      slot,
    };
    this.#workers[worker]?.postMessage(order);
    this.#inHand[worker] = (this.#inHand[worker] ?? 0) + 1;
  }

  /** The worker with the least in hand, unless all have enough. */
  #idlest(): number | undefined {
    let best: number | undefined;
    let least = AHEAD;
    for (const [index, inHand] of this.#inHand.entries()) {
      if (inHand < least) {
        least = inHand;
        best = index;
      }
    }
    return best;
  }
}
