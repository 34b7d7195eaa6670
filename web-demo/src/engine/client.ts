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

/** Rejects when the worker's script cannot be loaded or run: then nothing it is asked is ever answered. */
export const workerFailed = new Promise<never>((_, reject) => {
  worker.addEventListener('error', (event: Event) => {
    // A script that does not come gives an event without a message.
    const said = event instanceof ErrorEvent ? event.message : '';
    reject(
      new Error(
        said === ''
          ? 'The script of the engine could not be loaded.'
          : `The script of the engine failed: ${said}`,
      ),
    );
  });
});
// It is heeded while the engine starts; errors later are told by the calls they befall.
workerFailed.catch(() => undefined);

/** Marks a callback, so that the worker can call it. */
export const callback = Comlink.proxy;
