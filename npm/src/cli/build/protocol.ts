/**
 * What the main thread and the build workers say to each other.
 *
 * A *unit* is what a worker reads at once: a whole file, or a 2 MiB piece of a larger one. A
 * *batch* is a list of units; the stored frames of its answer lie in a slot of shared memory that
 * is used again for a later batch.
 */
import type { HostName } from './walker.js';

/** Logical bytes of a compressed frame at most. */
export const FRAME_BYTES = 128 * 1024;
/** Bytes of a file that are one unit; a multiple of {@link FRAME_BYTES}. */
export const UNIT_BYTES = 2 * 1024 * 1024;
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
/** Numbers per frame: offset in the buffer, stored bytes, logical bytes (negative when raw). */
export const FRAME_FIELDS = 3;
/** Bytes of a slot: a batch that does not compress, and its inline files. */
export const SLOT_BYTES = UNIT_BYTES + 256 * 1024;

/** Another unit has the same length: look for a twin. */
export const FLAG_CANDIDATE = 1;
/** Fewer blocks than bytes: zero blocks are holes. */
export const FLAG_SPARSE = 2;

export interface UnitOrder {
  /** Number of the unit over the whole build. */
  readonly unit: number;
  /** Where the unit starts in the file, in bytes. */
  readonly offset: number;
  readonly length: number;
  /** Size of the whole file in bytes. */
  readonly size: number;
  readonly candidate: boolean;
  readonly sparse: boolean;
}

/** Numbers per unit of an order: unit, offset, length, size, flags. */
const ORDER_FIELDS = 5;

/**
 * An order as it is sent. Numbers travel in typed arrays and frames in shared memory: cloning
 * objects for every file, or handing buffers over (which makes the collector run), costs more than
 * the rest of the traffic.
 */
export interface BatchOrder {
  readonly batch: number;
  readonly compress: boolean;
  readonly paths: readonly HostName[];
  readonly numbers: Float64Array;
  /** Where the stored bytes go. */
  readonly slot: SharedArrayBuffer;
}

/** What is out of the ordinary about a unit. */
export interface UnitRemark {
  /** Number of the unit in its batch. */
  readonly index: number;
  /** The file's size and modification time, where they changed since the walk. */
  readonly changed?: { readonly size: number; readonly mtimeNs: bigint };
  readonly failure?: { readonly code: string; readonly message: string };
}

export interface BatchAnswer {
  readonly batch: number;
  /** {@link FRAME_FIELDS} numbers per frame. */
  readonly frames: Float64Array;
  /** {@link EXTENT_FIELDS} numbers per extent, of all units one after the other. */
  readonly extents: Float64Array;
  /** Extents per unit; negative: minus one minus the number of the unit with the same bytes. */
  readonly counts: Int32Array;
  readonly remarks: readonly UnitRemark[];
  /** The stored bytes, where they did not fit in the slot. */
  readonly overflow: ArrayBuffer | undefined;
}

export interface WorkerSetup {
  /** The compiled engine: a worker need not compile it again. */
  readonly module: WebAssembly.Module;
  readonly level: number;
  /** Shared table of claimed contents, see `claims.ts`. */
  readonly claims: SharedArrayBuffer;
}

export function encodeUnits(units: readonly UnitOrder[]): Float64Array {
  const numbers = new Float64Array(units.length * ORDER_FIELDS);
  for (const [index, unit] of units.entries()) {
    const flags = (unit.candidate ? FLAG_CANDIDATE : 0) | (unit.sparse ? FLAG_SPARSE : 0);
    numbers.set([unit.unit, unit.offset, unit.length, unit.size, flags], index * ORDER_FIELDS);
  }
  return numbers;
}

export function decodeUnit(numbers: Float64Array, index: number): UnitOrder {
  const at = index * ORDER_FIELDS;
  const flags = numbers[at + 4] ?? 0;
  return {
    unit: numbers[at] ?? 0,
    offset: numbers[at + 1] ?? 0,
    length: numbers[at + 2] ?? 0,
    size: numbers[at + 3] ?? 0,
    candidate: (flags & FLAG_CANDIDATE) !== 0,
    sparse: (flags & FLAG_SPARSE) !== 0,
  };
}
