/**
 * Loads the engine once: the wasm package compiles its module when it is imported.
 */

import * as engine from 'aetherflow-wasm';
import type { RawMapConstructor } from './contract.js';

/** The raw engine class. */
export const RawMap = engine.Map as unknown as RawMapConstructor;

/** Version of the engine and of the formats it reads and writes. */
export function version(): ReturnType<typeof engine.version> {
  return engine.version();
}
