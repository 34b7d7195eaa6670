/**
 * The raw class of the wasm package, as TypeScript sees it: types only, no code.
 * Users never meet it; `gate.ts` is the only module that calls it on hot paths.
 */

import type * as wasm from 'aetherflow-wasm';

/** The raw class, with what its published types leave out. */
export interface RawMap extends wasm.Map {
  /** Fills the stat record of what the path in the scratch buffer leads to; 0 = nothing there. */
  statPath(pathLength: number, base: number, followLast: boolean): number;
  snapshotOpen(name: string): RawMap;
}
export type HostStorage = wasm.HostStorage;
export type EngineOptions = wasm.MapOptions;
export type Extent = wasm.Extent;
export type Zone = wasm.Zone;
export type SnapshotInfo = wasm.SnapshotInfo;
export type VerifyReport = wasm.VerifyReport;
export type VerifyProblem = VerifyReport['problems'][number];
export type MapInfo = ReturnType<RawMap['info']>;
export type MapStats = ReturnType<RawMap['stats']>;
export type MapSettings = ReturnType<RawMap['settings']>;
export type ZoneInfo = ReturnType<RawMap['zones']>[number];
export type CompressReport = ReturnType<RawMap['compress']>;
export type SpaceInfo = ReturnType<RawMap['statfs']>;
export type RenderLayer = Parameters<RawMap['render']>[0];
export type RenderOptions = NonNullable<Parameters<RawMap['render']>[1]>;

/** Called with work done and work expected, in units of the operation; `false` cancels it. */
export type Progress = (done: number, total: number) => boolean | undefined;

/** Static functions of the raw class. */
export interface RawMapConstructor {
  create(options?: EngineOptions): RawMap;
  open(bytes: Uint8Array, options?: EngineOptions): RawMap;
  createOn(storage: HostStorage, log: HostStorage | undefined, options?: EngineOptions): RawMap;
  openOn(storage: HostStorage, log: HostStorage | undefined, options?: EngineOptions): RawMap;
  /** Which form the file has. */
  detectOn(storage: HostStorage): 'live' | 'packed' | 'foreign';
  /** Writes the live form of a packed or re-saved map into `target`. */
  unpackOn(source: HostStorage, target: HostStorage, options?: EngineOptions): void;
}
