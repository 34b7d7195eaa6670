// Node: the module lies beside this file, so it is read and compiled at import; no bundler, no init.
import { readFileSync } from 'node:fs';
import { initSync } from './aetherflow.js';

/** The compiled module: hand it to worker threads, whose `initSync` then need not compile again. */
export const wasmModule = new WebAssembly.Module(
  readFileSync(new URL('./aetherflow_bg.wasm', import.meta.url)),
);
initSync({ module: wasmModule });

export { Compressor, Map, Map as InfiniteMap, Plane, version } from './aetherflow.js';
