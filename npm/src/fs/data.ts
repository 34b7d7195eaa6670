/**
 * File contents: open, close, read, write, whole files, copies, sizes, syncing.
 *
 * The synchronous functions here are the only implementation; callback and promise forms are
 * derived from them in `callback.ts` and `promises.ts`.
 */

import { kMaxLength } from 'node:buffer';
import type { WriteFileOptions } from 'node:fs';
import * as nodeFs from 'node:fs';
import { AetherFlowError, fail, invalidArgument, invalidValue, outOfRange } from '../errors.js';
import { CHUNK, type Bytes } from '../gate.js';
import {
  checkBuffer,
  checkBuffers,
  checkData,
  checkEncoding,
  checkFlags,
  checkInteger,
  checkMode,
  checkOptions,
  checkPath,
  checkPosition,
  checkSignal,
  O,
  type OptionsArgument,
} from './arguments.js';
import type { Like, NodeFs } from './node-types.js';
import { isDirectoryMode } from './stats.js';
import type { OpenFile, Volume } from './volume.js';

const WRITE_FLAGS = O.WRONLY | O.CREAT | O.TRUNC;
const APPEND_FLAGS = O.WRONLY | O.CREAT | O.APPEND;
/** Text up to this many code units fits one chunk in UTF-8, whatever it says. */
const TEXT_LIMIT = Math.floor(CHUNK / 3);

interface ReadFileOptions {
  encoding: BufferEncoding | 'buffer' | null;
  flag: string | number;
  signal: AbortSignal;
}

interface WriteOptions {
  encoding: BufferEncoding | null;
  flag: string | number;
  mode: number | string;
  flush: boolean;
  signal: AbortSignal;
}

interface Range {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly length: number;
  readonly position: number | null;
}

interface RangeOptions {
  offset: number;
  length: number;
  position: number | bigint | null;
}

type Names =
  | 'appendFileSync'
  | 'closeSync'
  | 'copyFileSync'
  | 'fdatasyncSync'
  | 'fsyncSync'
  | 'ftruncateSync'
  | 'openSync'
  | 'readFileSync'
  | 'readSync'
  | 'readvSync'
  | 'truncateSync'
  | 'writeFileSync'
  | 'writeSync'
  | 'writevSync';

/** Node's own pool serves buffers below this. */
const POOLED = 2048;
const SLAB_BYTES = 65_536;
const SLAB_PART = 8192;
let slab = Buffer.alloc(0);
let slabUsed = 0;

/**
 * Memory for what a read returns. Buffers of one or two clusters are cut from a slab: an allocation
 * of its own would cost as much as the rest of the call. A kept part keeps its slab, 32 times
 * its size at most, as with the pool of Node.
 */
function allocate(length: number): Bytes {
  if (length < POOLED) return Buffer.allocUnsafe(length);
  if (length > SLAB_PART) return Buffer.allocUnsafeSlow(length);
  if (slabUsed + length > slab.length) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    slabUsed = 0;
  }
  const part = slab.subarray(slabUsed, slabUsed + length);
  slabUsed += length;
  return part;
}

function range(
  bytes: Uint8Array,
  offsetOrOptions: unknown,
  length: unknown,
  position: unknown,
): Range {
  let start = offsetOrOptions;
  let count = length;
  let place = position;
  if (typeof offsetOrOptions === 'object' && offsetOrOptions !== null) {
    const options = offsetOrOptions as Partial<RangeOptions>;
    start = options.offset;
    count = options.length;
    place = options.position;
  }
  const offset = start === undefined || start === null ? 0 : checkInteger(start, 'offset', 0);
  if (offset > bytes.length) throw outOfRange('offset', `<= ${bytes.length}`, offset);
  const most = bytes.length - offset;
  const wanted = count === undefined || count === null ? most : checkInteger(count, 'length', 0);
  if (wanted > most) throw outOfRange('length', `<= ${most}`, wanted);
  return { bytes, offset, length: wanted, position: checkPosition(place) };
}

/** The data functions of one volume. */
export function makeData(volume: Volume) {
  const { gate } = volume;

  function readAt(file: OpenFile, part: Range): number {
    const at = part.position ?? file.position;
    const count = gate.read(file.ino, part.bytes, part.offset, part.length, at);
    if (part.position === null) file.position += count;
    return count;
  }

  function writeAt(file: OpenFile, bytes: Uint8Array, position: number | null): number {
    const append = (file.flags & O.APPEND) !== 0;
    const at = append ? gate.size(file.ino) : (position ?? file.position);
    const count = gate.write(file.ino, bytes, at);
    if (position === null) file.position = at + count;
    if ((file.flags & O.DSYNC) !== 0) gate.raw.syncFile(file.ino);
    return count;
  }

  /** Everything from `position` to the end. */
  function contents(
    ino: number,
    encoding: BufferEncoding | 'buffer',
    position = 0,
  ): string | Bytes {
    const count = gate.raw.read(ino, position, CHUNK);
    if (count < CHUNK) {
      const { scratch } = gate;
      if (encoding !== 'buffer') return scratch.toString(encoding, 0, count);
      const bytes = allocate(count);
      bytes.set(scratch.subarray(0, count));
      return bytes;
    }
    const size = Math.max(count, gate.size(ino) - position);
    if (size > kMaxLength) throw new AetherFlowError('EFBIG');
    const bytes = Buffer.allocUnsafeSlow(size);
    const done = gate.read(ino, bytes, 0, size, position);
    const whole = done === size ? bytes : bytes.subarray(0, done);
    return encoding === 'buffer' ? whole : whole.toString(encoding);
  }

  function putWhole(ino: number, data: unknown, encoding: unknown, append: boolean): void {
    const position = append ? gate.size(ino) : 0;
    if (typeof data === 'string' && data.length <= TEXT_LIMIT && isUtf8(encoding)) {
      const length = gate.putText(data);
      if (length > 0) gate.raw.write(ino, position, length);
      return;
    }
    gate.write(ino, checkData(data, encoding), position);
  }

  function writeWhole(
    target: unknown,
    data: unknown,
    options: Partial<WriteOptions>,
    usual: number,
  ): void {
    checkSignal(options.signal);
    if (typeof data !== 'string') checkData(data, undefined);
    const flags = checkFlags(options.flag, usual);
    const mode = checkMode(options.mode, 'mode', 0o666);
    if (typeof target === 'number') {
      const file = volume.writable(target, 'write');
      volume.run('write', undefined, () => {
        writeAt(file, checkData(data, options.encoding), null);
        if (options.flush === true) gate.raw.syncFile(file.ino);
      });
      return;
    }
    const path = checkPath(target);
    let syscall = 'open';
    try {
      const ino = volume.openInode(path, flags, mode);
      try {
        syscall = 'write';
        if ((flags & O.ACCMODE) === 0) throw new AetherFlowError('EBADF', { syscall });
        putWhole(ino, data, options.encoding, (flags & O.APPEND) !== 0);
        if (options.flush === true || (flags & O.DSYNC) !== 0) gate.raw.syncFile(ino);
      } finally {
        gate.raw.release(ino);
      }
    } catch (error) {
      throw fail(error, syscall, path);
    }
  }

  function truncateInode(ino: number, length: unknown): void {
    const size = length === undefined || length === null ? 0 : checkInteger(length, 'len');
    gate.raw.truncate(ino, Math.max(0, size));
  }

  function copyData(source: number, target: number, exact: boolean): void {
    const size = gate.size(source);
    let done = 0;
    try {
      while (done < size) {
        const count = gate.raw.cloneRange(source, done, target, done, size - done);
        if (count === 0) break;
        done += count;
      }
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (exact || (code !== 'ENOTSUP' && code !== 'EXDEV' && code !== 'EINVAL')) throw error;
    }
    const buffer = Buffer.allocUnsafeSlow(CHUNK);
    for (let at = done; at < size;) {
      const count = gate.read(source, buffer, 0, CHUNK, at);
      if (count === 0) break;
      gate.write(target, buffer.subarray(0, count), at);
      at += count;
    }
    gate.raw.truncate(target, size);
  }

  return {
    openSync(path, flags = 'r', mode) {
      const checked = checkPath(path);
      const bits = checkFlags(flags);
      const permissions = checkMode(mode, 'mode', 0o666);
      try {
        return volume.open(checked, bits, permissions);
      } catch (error) {
        throw fail(error, 'open', checked);
      }
    },

    closeSync(fd) {
      volume.close(fd);
    },

    readSync(
      fd: number,
      buffer: NodeJS.ArrayBufferView,
      offsetOrOptions?: unknown,
      length?: unknown,
      position?: unknown,
    ): number {
      const bytes = checkBuffer(buffer);
      const part = range(bytes, offsetOrOptions, length, position);
      const file = volume.readable(fd, 'read');
      if (part.length === 0) return 0;
      if (bytes.length === 0)
        throw invalidValue('buffer', 'is empty and cannot be written', buffer);
      try {
        return readAt(file, part);
      } catch (error) {
        throw fail(error, 'read');
      }
    },

    writeSync(
      fd: number,
      data: NodeJS.ArrayBufferView | string,
      offsetOrPosition?: unknown,
      lengthOrEncoding?: unknown,
      position?: unknown,
    ): number {
      if (typeof data === 'string') {
        const bytes = checkData(data, lengthOrEncoding);
        const place = checkPosition(offsetOrPosition);
        const file = volume.writable(fd, 'write');
        return volume.run('write', undefined, () => writeAt(file, bytes, place));
      }
      const part = range(
        checkBuffer(
          data,
          'buffer',
          'of type string or an instance of Buffer, TypedArray, or DataView',
        ),
        offsetOrPosition,
        lengthOrEncoding,
        position,
      );
      const file = volume.writable(fd, 'write');
      try {
        const { bytes, offset, length } = part;
        const whole = offset === 0 && length === bytes.length;
        return writeAt(
          file,
          whole ? bytes : bytes.subarray(offset, offset + length),
          part.position,
        );
      } catch (error) {
        throw fail(error, 'write');
      }
    },

    readvSync(fd, buffers, position) {
      const list = checkBuffers(buffers);
      let place = checkPosition(position);
      const file = volume.readable(fd, 'read');
      return volume.run('read', undefined, () => {
        let total = 0;
        for (const bytes of list) {
          const count = readAt(file, { bytes, offset: 0, length: bytes.length, position: place });
          total += count;
          if (place !== null) place += count;
          if (count < bytes.length) break;
        }
        return total;
      });
    },

    writevSync(fd, buffers, position) {
      const list = checkBuffers(buffers);
      let place = checkPosition(position);
      const file = volume.writable(fd, 'write');
      return volume.run('write', undefined, () => {
        let total = 0;
        for (const bytes of list) {
          const count = writeAt(file, bytes, place);
          total += count;
          if (place !== null) place += count;
        }
        return total;
      });
    },

    readFileSync(target, options?: OptionsArgument) {
      let encoding: BufferEncoding | 'buffer' = 'buffer';
      let flags = 0;
      if (typeof options === 'string') encoding = checkEncoding(options, 'buffer');
      else if (options !== undefined && options !== null) {
        const given = checkOptions<ReadFileOptions>(options);
        checkSignal(given.signal);
        encoding = checkEncoding(given.encoding, 'buffer');
        flags = checkFlags(given.flag);
      }
      if (typeof target === 'number') {
        const file = volume.readable(target, 'read');
        return volume.run('read', undefined, () => {
          const from = file.position;
          const result = contents(file.ino, encoding, from);
          file.position = Math.max(from, gate.size(file.ino));
          return result;
        });
      }
      const path = checkPath(target);
      let syscall = 'open';
      try {
        if (flags === 0) {
          const ino = gate.resolve(path, true);
          syscall = 'read';
          return contents(ino, encoding);
        }
        const ino = volume.openInode(path, flags, 0o666);
        try {
          syscall = 'read';
          if ((flags & O.ACCMODE) === O.WRONLY) throw new AetherFlowError('EBADF', { syscall });
          return contents(ino, encoding);
        } finally {
          gate.raw.release(ino);
        }
      } catch (error) {
        throw fail(error, syscall, path);
      }
    },

    writeFileSync(target, data, options?: WriteFileOptions) {
      writeWhole(target, data, checkOptions<WriteOptions>(options), WRITE_FLAGS);
    },

    appendFileSync(target, data, options?: WriteFileOptions) {
      writeWhole(target, data, checkOptions<WriteOptions>(options), APPEND_FLAGS);
    },

    truncateSync(target, length) {
      if (typeof target === 'number') {
        throw invalidArgument('path', 'of type string or an instance of Buffer or URL', target);
      }
      const path = checkPath(target);
      let syscall = 'open';
      volume.run(syscall, path, () => {
        const ino = volume.openInode(path, O.WRONLY, 0);
        try {
          syscall = 'ftruncate';
          truncateInode(ino, length);
        } finally {
          gate.raw.release(ino);
        }
      });
    },

    ftruncateSync(fd, length) {
      const file = volume.file(fd, 'ftruncate');
      if ((file.flags & O.ACCMODE) === 0)
        throw new AetherFlowError('EINVAL', { syscall: 'ftruncate' });
      volume.run('ftruncate', undefined, () => {
        truncateInode(file.ino, length);
      });
    },

    fsyncSync(fd) {
      const file = volume.file(fd, 'fsync');
      volume.run('fsync', undefined, () => {
        gate.raw.syncFile(file.ino);
      });
    },

    fdatasyncSync(fd) {
      const file = volume.file(fd, 'fdatasync');
      volume.run('fdatasync', undefined, () => {
        gate.raw.syncFile(file.ino);
      });
    },

    copyFileSync(source, destination, mode) {
      const from = checkPath(source, 'src');
      const to = checkPath(destination, 'dest');
      const flags = mode === undefined ? 0 : checkInteger(mode, 'mode', 0, 7);
      const exclusive = (flags & nodeFs.constants.COPYFILE_EXCL) !== 0;
      const exact = (flags & nodeFs.constants.COPYFILE_FICLONE_FORCE) !== 0;
      volume.run(
        'copyfile',
        from,
        () => {
          const input = volume.openInode(from, 0, 0);
          try {
            const permissions = gate.mode(input);
            if (isDirectoryMode(permissions)) throw new AetherFlowError('EISDIR', {});
            const bits = O.WRONLY | O.CREAT | (exclusive ? O.EXCL : 0);
            const output = volume.openInode(to, bits, permissions & 0o7777);
            try {
              if (output === input) return;
              gate.raw.truncate(output, 0);
              copyData(input, output, exact);
              gate.raw.setattr(output, 1, permissions & 0o7777, 0, 0, 0, 0, 0, 0);
            } finally {
              gate.raw.release(output);
            }
          } finally {
            gate.raw.release(input);
          }
        },
        to,
      );
    },
  } satisfies Like<NodeFs, Names>;
}

function isUtf8(encoding: unknown): boolean {
  return encoding === undefined || encoding === null || encoding === 'utf8' || encoding === 'utf-8';
}
