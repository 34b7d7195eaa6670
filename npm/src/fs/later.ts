/**
 * Turns a synchronous action into a promise without starving the event loop.
 */

import { setImmediate as turn } from 'node:timers/promises';

/** Every so many calls the promise waits for a turn of the event loop, so timers and I/O proceed. */
const CALLS_PER_TURN = 64;
let calls = 0;

/** Does `action` at once; the promise settles afterwards. */
export function later<T>(action: () => T): Promise<T> {
  calls += 1;
  const settled = new Promise<T>((resolve) => {
    resolve(action());
  });
  return calls % CALLS_PER_TURN === 0 ? settled.finally(() => turn()) : settled;
}
