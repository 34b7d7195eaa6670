/**
 * `map.fs`: one object shaped like `node:fs` over one volume.
 */

import { constants } from 'node:fs';
import { makeCallbacks } from './callback.js';
import { Dir } from './dir.js';
import type { MapFs } from './node-types.js';
import { makePromises } from './promises.js';
import { BigIntStats, Dirent, Stats } from './stats.js';
import { makeStreams } from './streams.js';
import { makeSync } from './sync.js';
import type { Volume } from './volume.js';

export type { MapFs, PromisesFs } from './node-types.js';

/** Makes the `fs` object of a volume. */
export function makeFs(volume: Volume): MapFs {
  const part = makeSync(volume);
  const callbacks = makeCallbacks(part);
  const streams = makeStreams(callbacks);
  const promises = makePromises(part, streams, constants);
  const fs = {
    ...part.sync,
    ...callbacks,
    ...streams,
    promises,
    constants,
    Stats,
    BigIntStats,
    Dirent,
    Dir,
    F_OK: constants.F_OK,
    R_OK: constants.R_OK,
    W_OK: constants.W_OK,
    X_OK: constants.X_OK,
  };
  return fs as unknown as MapFs;
}
