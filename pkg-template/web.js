// Browsers and workers: call `init()` (fetches the module beside this file) or `initSync()` once.
export { default as init, initSync } from './aetherflow.js';
export { Compressor, Map, Map as InfiniteMap, Plane, version } from './aetherflow.js';
