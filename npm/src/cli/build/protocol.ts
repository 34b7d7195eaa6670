/**
 * What the main thread and the build workers say to each other.
 *
 * A *unit* is what a worker reads at once: a whole file, or a 4 MiB piece of a larger one. A
 * *batch* is a list of units; its answer carries the stored frames in one buffer that is handed
 * over, not copied, and comes back with a later batch to be used again.
 */
import type { HostName } from './walker.js';

/** Logical bytes of a compressed frame at most. */
export const FRAME_BYTES = 128 * 1024;
/** Bytes of a file that are one unit; a multiple of {@link FRAME_BYTES}. */
export const UNIT_BYTES = 4 * 1024 * 1024;
/** Files up to this size live in the tree itself. */
export const INLINE_BYTES = 160;
/** Granularity of holes. */
export const BLOCK_BYTES = 4096;

/** Stands for a frame number in an extent: the bytes are all one value. */
export const FRAME_FILL = -1;
/** Stands for a frame number in an extent: the bytes are the file itself, kept in the tree. */
export const FRAME_INLINE = -2;
/** Numbers per extent: file offset, length, frame of the batch, offset in it (or the byte). */
export const EXTENT_FIELDS = 4;
/** Numbers per frame: offset in the buffer, stored bytes, logical bytes (negative when stored raw). */
export const FRAME_FIELDS = 3;

export interface UnitOrder {
  /** Number of the unit over the whole build. */
  readonly unit: number;
  readonly path: HostName;
  /** Where the unit starts in the file, in bytes. */
  readonly offset: number;
  readonly length: number;
  /** Size of the whole file in bytes. */
  readonly size: number;
  /** Another unit has the same length: look for a twin. */
  readonly candidate: boolean;
  readonly sparse: boolean;
}

export interface BatchOrder {
  readonly batch: number;
  readonly compress: boolean;
  readonly units: readonly UnitOrder[];
  /** A buffer of an earlier answer, to be filled again. */
  readonly buffer: ArrayBuffer | undefined;
}

export interface UnitAnswer {
  /** Extents of {@link EXTENT_FIELDS} numbers each. Empty for a twin or a failure. */
  readonly extents: readonly number[];
  /** Unit number of an earlier unit with the same bytes. */
  readonly twin?: number;
  /** The file's size and modification time, where they changed since the walk. */
  readonly changed?: { readonly size: number; readonly mtimeNs: bigint };
  readonly failure?: { readonly code: string; readonly message: string };
}

export interface BatchAnswer {
  readonly batch: number;
  readonly buffer: ArrayBuffer;
  /** {@link FRAME_FIELDS} numbers per frame. */
  readonly frames: readonly number[];
  readonly units: readonly UnitAnswer[];
}

export interface WorkerSetup {
  /** The compiled engine: a worker need not compile it again. */
  readonly module: WebAssembly.Module;
  readonly level: number;
  /** Shared table of claimed contents, see `claims.ts`. */
  readonly claims: SharedArrayBuffer;
}
