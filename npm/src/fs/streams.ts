/**
 * Read and write streams: Node's own stream classes, told to use this map's calls.
 *
 * `fs.ReadStream` takes an `fs` option for exactly this, so start, end, flags, autoClose, bytesRead
 * and the rest behave as in Node because they are Node's.
 */

import * as nodeFs from 'node:fs';
import { checkOptions } from './arguments.js';

/** An open file that closes itself: a `FileHandle`. */
export interface Closable {
  readonly fd: number;
  close(): Promise<void>;
}

/** The callback functions that the stream classes call. */
export type StreamCalls = Pick<
  typeof nodeFs,
  'open' | 'read' | 'write' | 'writev' | 'close' | 'fsync'
>;

interface StreamOptions {
  fd?: number | Closable | null;
  [option: string]: unknown;
}

type Constructor<T> = new (path: unknown, options?: object) => T;

const NodeReadStream = nodeFs.ReadStream as unknown as Constructor<nodeFs.ReadStream>;
const NodeWriteStream = nodeFs.WriteStream as unknown as Constructor<nodeFs.WriteStream>;

function isClosable(fd: unknown): fd is Closable {
  return typeof fd === 'object' && fd !== null && 'fd' in fd && 'close' in fd;
}

/** The caller's options with our calls in place of the host's. */
function withCalls(options: unknown, calls: StreamCalls): object {
  const given = checkOptions<StreamOptions>(options);
  const { fd } = given;
  if (!isClosable(fd)) return { ...given, fs: calls };
  const close = (_fd: number, done: (error?: Error | null) => void): void => {
    fd.close().then(() => {
      done(null);
    }, done);
  };
  return { ...given, fd: fd.fd, fs: { ...calls, close } };
}

/** The stream classes and functions of one volume. */
export interface Streams {
  readonly ReadStream: Constructor<nodeFs.ReadStream>;
  readonly WriteStream: Constructor<nodeFs.WriteStream>;
  createReadStream(path: unknown, options?: unknown): nodeFs.ReadStream;
  createWriteStream(path: unknown, options?: unknown): nodeFs.WriteStream;
}

/** Makes the stream classes and functions over `calls`. */
export function makeStreams(calls: StreamCalls): Streams {
  class ReadStream extends NodeReadStream {
    constructor(path: unknown, options?: object) {
      super(path, withCalls(options, calls));
    }
  }

  class WriteStream extends NodeWriteStream {
    constructor(path: unknown, options?: object) {
      super(path, withCalls(options, calls));
    }
  }

  return {
    ReadStream,
    WriteStream,
    createReadStream: (path: unknown, options?: unknown) => new ReadStream(path, options as object),
    createWriteStream: (path: unknown, options?: unknown) =>
      new WriteStream(path, options as object),
  };
}
