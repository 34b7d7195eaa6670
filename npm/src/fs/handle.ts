/**
 * `FileHandle`: an open file with promise methods, over the same synchronous calls.
 */

import { EventEmitter } from 'node:events';
import type { ReadStream, WriteStream } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import { ReadableStream } from 'node:stream/web';
import { AetherFlowError } from '../errors.js';
import { checkOptions, checkSignal } from './arguments.js';
import { later } from './later.js';
import type { SyncFs } from './node-types.js';
import type { Streams } from './streams.js';

const READ_BUFFER = 16_384;
const WEB_CHUNK = 65_536;

type View = NodeJS.ArrayBufferView;
type Loose = Record<string, (...args: unknown[]) => unknown>;

interface ReadArguments {
  buffer?: View;
  offset?: number;
  length?: number;
  position?: number | bigint | null;
}

/** What `writeFile` of the promise API takes besides text and bytes. */
export function isIterable(data: unknown): data is Iterable<unknown> | AsyncIterable<unknown> {
  if (typeof data !== 'object' || data === null || ArrayBuffer.isView(data)) return false;
  return Symbol.asyncIterator in data || Symbol.iterator in data;
}

/** An open file; `fd` is -1 once it is closed. Emits 'close'. */
export class FileHandle extends EventEmitter {
  readonly #sync: SyncFs;
  readonly #calls: Loose;
  readonly #streams: Streams;
  #fd: number;

  constructor(sync: SyncFs, streams: Streams, fd: number) {
    super();
    this.#sync = sync;
    this.#calls = sync as unknown as Loose;
    this.#streams = streams;
    this.#fd = fd;
  }

  get fd(): number {
    return this.#fd;
  }

  #call<T>(name: keyof SyncFs, ...args: unknown[]): Promise<T> {
    return later(() => {
      if (this.#fd < 0) {
        throw new AetherFlowError('EBADF', {
          syscall: name.replace(/Sync$/, ''),
          reason: 'bad-handle',
        });
      }
      return this.#calls[name]?.(this.#fd, ...args) as T;
    });
  }

  read(bufferOrOptions?: View | ReadArguments | null, ...rest: unknown[]) {
    const isView = ArrayBuffer.isView(bufferOrOptions);
    const options: ReadArguments = isView ? {} : (bufferOrOptions ?? {});
    const buffer = isView ? bufferOrOptions : (options.buffer ?? Buffer.allocUnsafe(READ_BUFFER));
    const args = isView ? rest : [options];
    return this.#call<number>('readSync', buffer, ...args).then((bytesRead) => ({
      bytesRead,
      buffer,
    }));
  }

  readv(buffers: readonly View[], position?: number | null) {
    return this.#call<number>('readvSync', buffers, position).then((bytesRead) => ({
      bytesRead,
      buffers,
    }));
  }

  write<T extends View | string>(buffer: T, ...rest: unknown[]) {
    return this.#call<number>('writeSync', buffer, ...rest).then((bytesWritten) => ({
      bytesWritten,
      buffer,
    }));
  }

  writev(buffers: readonly View[], position?: number | null) {
    return this.#call<number>('writevSync', buffers, position).then((bytesWritten) => ({
      bytesWritten,
      buffers,
    }));
  }

  readFile(options?: unknown): Promise<string | Buffer> {
    return this.#call('readFileSync', options);
  }

  async writeFile(data: unknown, options?: unknown): Promise<void> {
    if (!isIterable(data)) return this.#call('writeFileSync', data, options);
    const { signal, encoding } = checkOptions<{ signal: AbortSignal; encoding: string }>(options);
    checkSignal(signal);
    for await (const part of data) {
      checkSignal(signal);
      await this.#call('writeFileSync', part, { encoding });
    }
  }

  appendFile(data: unknown, options?: unknown): Promise<void> {
    return this.writeFile(data, options);
  }

  stat(options?: unknown) {
    return this.#call('fstatSync', options);
  }

  truncate(length?: number | null): Promise<void> {
    return this.#call('ftruncateSync', length);
  }

  chmod(mode: number | string): Promise<void> {
    return this.#call('fchmodSync', mode);
  }

  chown(uid: number, gid: number): Promise<void> {
    return this.#call('fchownSync', uid, gid);
  }

  utimes(atime: unknown, mtime: unknown): Promise<void> {
    return this.#call('futimesSync', atime, mtime);
  }

  sync(): Promise<void> {
    return this.#call('fsyncSync');
  }

  datasync(): Promise<void> {
    return this.#call('fdatasyncSync');
  }

  close(): Promise<void> {
    return later(() => {
      if (this.#fd < 0) return;
      const fd = this.#fd;
      this.#fd = -1;
      this.#sync.closeSync(fd);
      this.emit('close');
    });
  }

  createReadStream(options?: object): ReadStream {
    return this.#streams.createReadStream(undefined, { ...options, fd: this });
  }

  createWriteStream(options?: object): WriteStream {
    return this.#streams.createWriteStream(undefined, { ...options, fd: this });
  }

  readLines(options?: object): Interface {
    const input = this.createReadStream(options);
    return createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  }

  /** The rest of the file as a web stream of bytes; the handle stays open. */
  readableWebStream(): ReadableStream {
    return new ReadableStream({
      type: 'bytes',
      pull: async (controller) => {
        const chunk = new Uint8Array(WEB_CHUNK);
        const { bytesRead } = await this.read(chunk);
        if (bytesRead === 0) controller.close();
        else controller.enqueue(chunk.subarray(0, bytesRead));
      },
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
