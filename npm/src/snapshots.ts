/**
 * Snapshots of a map: each is the whole tree at one moment, taken in constant time.
 */

import type { RawMap, SnapshotInfo } from './contract.js';
import type { Volume } from './fs/volume.js';

/** The snapshots of one map. `View` is the class of a map. */
export class Snapshots<View = unknown> {
  readonly #volume: Volume;
  readonly #view: (raw: RawMap) => View;

  /** @internal */
  constructor(volume: Volume, view: (raw: RawMap) => View) {
    this.#volume = volume;
    this.#view = view;
  }

  #run<T>(name: string | undefined, action: (raw: RawMap) => T): T {
    return this.#volume.run('snapshot', name, () => action(this.#volume.gate.raw));
  }

  /** Keeps the present state under `name`. @throws EEXIST, EINVAL for a bad name, EROFS */
  create(name: string, note?: string): SnapshotInfo {
    return this.#run(name, (raw) => raw.snapshotCreate(name, note));
  }

  /** All snapshots, newest first; `created` in ms since the epoch, `bytes` of file data. */
  list(): SnapshotInfo[] {
    return this.#run(undefined, (raw) => raw.snapshotList());
  }

  /** The state kept under `name` as a read-only map; close it after use. @throws ENOENT */
  open(name: string): View {
    return this.#view(this.#run(name, (raw) => raw.snapshotOpen(name)));
  }

  /**
   * Makes the map what it was at the snapshot. The present state is kept first.
   * @returns the automatic snapshot of the state before
   * @throws ENOENT, EROFS
   */
  restore(name: string): SnapshotInfo {
    return this.#run(name, (raw) => raw.snapshotRestore(name));
  }

  /** Forgets a snapshot and gives back what only it held. @throws ENOENT, EROFS */
  delete(name: string): void {
    this.#run(name, (raw) => {
      raw.snapshotDelete(name);
    });
  }
}
