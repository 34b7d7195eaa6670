/**
 * The public face of the package.
 */

export { InfiniteMap, InfiniteMap as Map, openMap } from './map.js';
export type { FileMapOptions, MapOptions, ProgressOptions } from './map.js';
export type { BackingOptions, OpenMode } from './backing.js';
export { AetherFlowError } from './errors.js';
export { lockHolder, type LockRecord } from './lock.js';
export { mountMap, type MountedMap, type MountOptions } from './mount/mount.js';
export {
  listMounts,
  unmountMap,
  type MountInfo,
  type Unmounted,
  type UnmountOptions,
} from './mount/unmount.js';
export {
  ControlClient,
  type CallOptions,
  type ConnectOptions,
  type Greeting,
} from './mount/control.js';
export { findHelper } from './mount/helper.js';
export { version } from './wasm.js';
export type { Attributes, LinkOptions } from './attributes.js';
export type { Snapshots } from './snapshots.js';
export type { EntryType, WalkEntry } from './walk.js';
export type { MapFs, PromisesFs } from './fs/index.js';
export type { FileHandle } from './fs/handle.js';
export type {
  CompressReport,
  Extent,
  MapInfo,
  MapSettings,
  MapStats,
  Progress,
  RenderLayer,
  RenderOptions,
  SnapshotInfo,
  SpaceInfo,
  VerifyProblem,
  VerifyReport,
  Zone,
  ZoneInfo,
} from './contract.js';
