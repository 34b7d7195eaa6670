/** The classes of the wasm package under names that do not hide JavaScript's own. */
export { Map as EngineMap, Plane as EnginePlane, init, version } from 'aetherflow-wasm/web';
export type { HostStorage, MapOptions, SnapshotInfo } from 'aetherflow-wasm/web';
