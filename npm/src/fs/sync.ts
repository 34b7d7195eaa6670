/**
 * All synchronous calls of one volume in one object.
 */

import { makeCopies } from './copy.js';
import { makeData } from './data.js';
import { Dir } from './dir.js';
import { makeNames } from './names.js';
import type { SyncFs } from './node-types.js';
import { makeRemovals } from './recursive.js';
import type { Volume } from './volume.js';

/** The synchronous functions, as Node types them, and the one function that has to wait. */
export interface SyncPart {
  readonly sync: SyncFs;
  /** `cp` whose filter may answer with a promise. */
  readonly cpAsync: ReturnType<typeof makeCopies>['cpAsync'];
}

/** Makes the synchronous functions of `volume`. */
export function makeSync(volume: Volume): SyncPart {
  const data = makeData(volume);
  const names = makeNames(volume);
  const copies = makeCopies(volume, { data, names });
  const realpathSync = Object.assign(
    (...args: Parameters<typeof names.realpathSync>) => names.realpathSync(...args),
    { native: names.realpathSync },
  );
  const sync = {
    ...data,
    ...names,
    ...makeRemovals(volume),
    cpSync: copies.cpSync,
    realpathSync,
    opendirSync: (path: unknown, options?: unknown) => new Dir(volume, path, options),
  };
  // Each part was checked against Node's most general overload; callers see all of them.
  return { sync: sync as unknown as SyncFs, cpAsync: copies.cpAsync };
}
