/**
 * A build worker: reads files, packs small ones together, compresses, looks for twins.
 *
 * Files are read into the codec's input memory or a pack buffer and compressed from there. A file
 * smaller than a frame is never split; a larger one is cut at frame boundaries and its tail is
 * packed together with what follows. The size from the walk is checked by asking for one byte more
 * than expected, which costs no further system call.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

import { Compressor, initSync } from 'aetherflow-wasm/web';

import { Claims } from './claims.js';
import {
  type BatchAnswer,
  type BatchOrder,
  BLOCK_BYTES,
  decodeUnit,
  EXTENT_FIELDS,
  FRAME_BYTES,
  FRAME_FIELDS,
  FRAME_FILL,
  FRAME_INLINE,
  INLINE_BYTES,
  UNIT_BYTES,
  type UnitOrder,
  type UnitRemark,
  type WorkerSetup,
} from './protocol.js';
import type { HostName } from './walker.js';

const OPEN_FLAGS = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK;

class Batch {
  #buffer: Buffer;
  #used = 0;
  readonly frames: number[] = [];
  readonly #codec: Codec;
  readonly #compress: boolean;
  readonly #pack: Buffer;
  #packed = 0;
  /** Frame number promised to what lies in the pack. */
  #packNumber = 0;

  constructor(order: BatchOrder, codec: Codec, pack: Buffer) {
    this.#buffer = Buffer.from(order.slot);
    this.#codec = codec;
    this.#compress = order.compress;
    this.#pack = pack;
  }

  /** Room for `length` bytes of a file to be packed with others; the next {@link keep} keeps it. */
  room(length: number): Buffer {
    if (this.#packed + length > FRAME_BYTES) this.flush();
    // One byte more than asked for: a file that has grown shows itself by filling it.
    return this.#pack.subarray(this.#packed, this.#packed + length + 1);
  }

  /** Keeps the first `length` bytes of the room given out last; returns their place. */
  keep(length: number): { frame: number; offset: number } {
    if (this.#packed === 0) this.#packNumber = this.#reserve();
    const place = { frame: this.#packNumber, offset: this.#packed };
    this.#packed += length;
    return place;
  }

  /** Ends the frame that small files are packed into. */
  flush(): void {
    if (this.#packed === 0) return;
    const bytes = this.#pack.subarray(0, this.#packed);
    this.#packed = 0;
    this.#store(this.#packNumber, bytes);
  }

  /** Stores a full frame of a large file; returns its number. */
  frame(bytes: Buffer): number {
    const number = this.#reserve();
    this.#store(number, bytes);
    return number;
  }

  /** Keeps the bytes of a file that lives in the tree; returns their offset in the buffer. */
  inline(bytes: Buffer): number {
    return this.#append(bytes);
  }

  #reserve(): number {
    const number = this.frames.length / FRAME_FIELDS;
    this.frames.push(0, 0, 0);
    return number;
  }

  #store(number: number, raw: Buffer): void {
    let stored = raw;
    let logical = -raw.length;
    if (this.#compress) {
      this.#codec.input.set(raw, 0);
      const length = this.#codec.compress(raw.length);
      if (length > 0) {
        stored = this.#codec.output(length);
        logical = raw.length;
      }
    }
    const at = number * FRAME_FIELDS;
    this.frames[at] = this.#append(stored);
    this.frames[at + 1] = stored.length;
    this.frames[at + 2] = logical;
  }

  #append(bytes: Buffer): number {
    const offset = this.#used;
    if (offset + bytes.length > this.#buffer.length) {
      // Only files that grew since the walk lead here.
      const larger = Buffer.from(new ArrayBuffer(this.#buffer.length * 2 + bytes.length));
      this.#buffer.copy(larger, 0, 0, offset);
      this.#buffer = larger;
    }
    bytes.copy(this.#buffer, offset);
    this.#used = offset + bytes.length;
    return offset;
  }

  /** The stored bytes, where they outgrew the slot. */
  overflow(): ArrayBuffer | undefined {
    const { buffer } = this.#buffer;
    return buffer instanceof ArrayBuffer ? buffer : undefined;
  }
}

/** The wasm compressor with views that follow its memory as it grows. */
class Codec {
  readonly #compressor: Compressor;
  #input: Buffer;

  constructor(level: number) {
    this.#compressor = new Compressor(level);
    this.#input = this.#view();
  }

  #view(): Buffer {
    const { memory, input, inputCapacity } = this.#compressor;
    return Buffer.from(memory.buffer, input, inputCapacity);
  }

  get input(): Buffer {
    if (this.#input.length === 0) this.#input = this.#view();
    return this.#input;
  }

  /** Bytes of output, 0 when compression does not pay. */
  compress(length: number): number {
    return this.#compressor.compress(length);
  }

  output(length: number): Buffer {
    return Buffer.from(this.#compressor.memory.buffer, this.#compressor.output, length);
  }
}

/** Reads until `target` is full or the file ends. */
function readFully(descriptor: number, target: Buffer, position: number): number {
  let done = 0;
  while (done < target.length) {
    const count = fs.readSync(descriptor, target, done, target.length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** True when all bytes are the same: the bytes equal themselves moved by one. */
function isUniform(bytes: Buffer): boolean {
  const { length } = bytes;
  if (length < 2) return length === 1;
  if (bytes[0] !== bytes[length - 1] || bytes[0] !== bytes[length >> 1]) return false;
  return bytes.subarray(1).equals(bytes.subarray(0, length - 1));
}

/** What a unit turned out to be. */
interface UnitResult {
  /** Extents of {@link EXTENT_FIELDS} numbers each; empty for a twin. */
  readonly extents: readonly number[];
  /** Number of an earlier unit with the same bytes. */
  readonly twin?: number;
  readonly changed?: { readonly size: number; readonly mtimeNs: bigint };
}

class FileChanged extends Error {}

function main(setup: WorkerSetup): void {
  initSync({ module: setup.module });
  const claims = new Claims(setup.claims);
  const codec = new Codec(setup.level);
  const pack = Buffer.alloc(FRAME_BYTES + 1);
  const whole = Buffer.allocUnsafeSlow(UNIT_BYTES + 1);

  /** Bytes that are read and known: an extent list for them. `base` is their file offset. */
  const place = (batch: Batch, bytes: Buffer, base: number, sparse: boolean): number[] => {
    const extents: number[] = [];
    const data = (from: number, to: number): void => {
      for (let at = from; at < to; at += FRAME_BYTES) {
        const part = bytes.subarray(at, Math.min(to, at + FRAME_BYTES));
        if (isUniform(part)) {
          extents.push(base + at, part.length, FRAME_FILL, part[0] ?? 0);
        } else if (part.length === FRAME_BYTES) {
          extents.push(base + at, part.length, batch.frame(part), 0);
        } else {
          part.copy(batch.room(part.length));
          const { frame, offset } = batch.keep(part.length);
          extents.push(base + at, part.length, frame, offset);
        }
      }
    };
    if (!sparse) {
      data(0, bytes.length);
      return extents;
    }
    // Runs of zero blocks are holes: simply absent.
    let start = 0;
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
      const block = bytes.subarray(at, at + BLOCK_BYTES);
      if (block[0] === 0 && isUniform(block)) {
        data(start, at);
        start = at + block.length;
      }
    }
    data(start, bytes.length);
    return extents;
  };

  /** Reads one unit whose size must be `length`, the end of the file where `last`. */
  const readUnit = (
    batch: Batch,
    order: UnitOrder,
    descriptor: number,
    length: number,
    last: boolean,
  ): UnitResult => {
    const check = last ? 1 : 0;
    if (length <= INLINE_BYTES && order.offset === 0) {
      const target = whole.subarray(0, length + check);
      if (readFully(descriptor, target, 0) !== length) throw new FileChanged();
      const at = batch.inline(whole.subarray(0, length));
      return { extents: [0, length, FRAME_INLINE, at] };
    }
    if (length < FRAME_BYTES && !order.sparse) {
      const target = batch.room(length).subarray(0, length + check);
      if (readFully(descriptor, target, order.offset) !== length) throw new FileChanged();
      const bytes = target.subarray(0, length);
      const twin = findTwin(order, bytes);
      if (twin !== undefined) return { extents: [], twin };
      if (isUniform(bytes)) return { extents: [order.offset, length, FRAME_FILL, bytes[0] ?? 0] };
      const { frame, offset } = batch.keep(length);
      return { extents: [order.offset, length, frame, offset] };
    }
    const target = whole.subarray(0, length + check);
    if (readFully(descriptor, target, order.offset) !== length) throw new FileChanged();
    const bytes = whole.subarray(0, length);
    const twin = findTwin(order, bytes);
    if (twin !== undefined) return { extents: [], twin };
    return { extents: place(batch, bytes, order.offset, order.sparse) };
  };

  const findTwin = (order: UnitOrder, bytes: Buffer): number | undefined => {
    if (!order.candidate) return undefined;
    const holder = claims.claim(hashOf(bytes), order.unit);
    return holder === order.unit ? undefined : holder;
  };

  const handleUnit = (batch: Batch, order: UnitOrder, path: HostName): UnitResult => {
    const descriptor = fs.openSync(path, OPEN_FLAGS);
    try {
      const last = order.offset + order.length === order.size;
      try {
        return readUnit(batch, order, descriptor, order.length, last);
      } catch (error) {
        if (!(error instanceof FileChanged)) throw error;
      }
      // The file changed since the walk. Once more with what it is now, if it is one unit.
      const stat = fs.fstatSync(descriptor, { bigint: true });
      const size = Number(stat.size);
      if (!stat.isFile() || order.length !== order.size || size > UNIT_BYTES) {
        throw changedError();
      }
      const changed = { size, mtimeNs: stat.mtimeNs };
      if (size === 0) return { extents: [], changed };
      try {
        const again = { ...order, length: size, size, candidate: false };
        return { ...readUnit(batch, again, descriptor, size, true), changed };
      } catch (error) {
        throw error instanceof FileChanged ? changedError() : error;
      }
    } finally {
      fs.closeSync(descriptor);
    }
  };

  parentPort?.on('message', (order: BatchOrder) => {
    const batch = new Batch(order, codec, pack);
    const extents: number[] = [];
    const counts = new Int32Array(order.paths.length);
    const remarks: UnitRemark[] = [];
    for (const [index, path] of order.paths.entries()) {
      try {
        const result = handleUnit(batch, decodeUnit(order.numbers, index), path);
        for (const number of result.extents) extents.push(number);
        counts[index] =
          result.twin === undefined ? result.extents.length / EXTENT_FIELDS : -1 - result.twin;
        if (result.changed !== undefined) remarks.push({ index, changed: result.changed });
      } catch (error) {
        remarks.push({ index, failure: failureOf(error) });
      }
    }
    batch.flush();
    const answer: BatchAnswer = {
      batch: order.batch,
      frames: Float64Array.from(batch.frames),
      extents: Float64Array.from(extents),
      counts,
      remarks,
      overflow: batch.overflow(),
    };
    parentPort?.postMessage(answer);
  });
}

function changedError(): Error {
  return Object.assign(new Error('the file changes while it is being read'), { code: 'EAGAIN' });
}

function failureOf(error: unknown): { code: string; message: string } {
  const { code, message } = error as NodeJS.ErrnoException;
  return { code: code ?? 'EIO', message };
}

/** SHA-256 of the bytes. */
function hashOf(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

main(workerData as WorkerSetup);
