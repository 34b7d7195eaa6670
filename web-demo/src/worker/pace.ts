/** Sharing the worker's one thread: long work lets waiting messages in between. */

const { port1, port2 } = new MessageChannel();
const waiting: (() => void)[] = [];
port1.onmessage = () => waiting.shift()?.();

/** Lets every message that has arrived be handled first. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    // Behind all that is queued already, and without the 4 ms that nested timers wait.
    port2.postMessage(null);
  });
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}

/** Breathes once a slice of time is used up. */
export class Pace {
  readonly #slice: number;
  #until: number;

  constructor(slice = 8) {
    this.#slice = slice;
    this.#until = performance.now() + slice;
  }

  async step(): Promise<void> {
    if (performance.now() < this.#until) return;
    await breathe();
    this.#until = performance.now() + this.#slice;
  }
}

/** Calls `action` at most once per `interval`, and once more after the last time it was wanted. */
export function throttled(action: () => void, interval: number | (() => number)): () => void {
  let last = -Infinity;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const run = (): void => {
    clearTimeout(timer);
    timer = undefined;
    last = performance.now();
    action();
  };
  return () => {
    const apart = typeof interval === 'number' ? interval : interval();
    const wait = last + apart - performance.now();
    if (wait <= 0) run();
    else timer ??= setTimeout(run, wait);
  };
}

/** One after another, in the order they came. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take<T>(action: () => Promise<T> | T): Promise<T> {
    const turn = this.#last.then(action);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

/** At most so many at a time, in the order they came. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async take<T>(action: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await action();
    } finally {
      const next = this.#waiting.shift();
      // A slot that is passed on is never free in between.
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
