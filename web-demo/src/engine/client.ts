/** The engine as the page sees it: a worker behind one typed interface. */
import * as Comlink from 'comlink';

import type { Engine } from './contract';
import { carryProblems } from './problem';

carryProblems();

const worker = new Worker(new URL('../worker/main.ts', import.meta.url), {
  type: 'module',
  name: 'engine',
});

export const engine: Comlink.Remote<Engine> = Comlink.wrap<Engine>(worker);
/** Marks a callback, so that the worker can call it. */
export const callback = Comlink.proxy;
