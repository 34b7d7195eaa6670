/**
 * Errors as Node users know them.
 *
 * The engine throws one `Error` per failure with a stable `reason`; here it gains what only the
 * caller knows: the system call and the path as the user gave it. Rules: an I/O failure is always
 * an {@link AetherFlowError}; a wrong argument is a `TypeError` or `RangeError` with a Node code
 * (`ERR_INVALID_ARG_TYPE`, ...), thrown before anything happens.
 */

import { inspect } from 'node:util';

/** Linux errno numbers and libuv's sentence for each. */
const ERRNO: Readonly<Record<string, readonly [errno: number, description: string]>> = {
  EPERM: [-1, 'operation not permitted'],
  ENOENT: [-2, 'no such file or directory'],
  EIO: [-5, 'i/o error'],
  ENXIO: [-6, 'no such device or address'],
  E2BIG: [-7, 'argument list too long'],
  EBADF: [-9, 'bad file descriptor'],
  EACCES: [-13, 'permission denied'],
  EBUSY: [-16, 'resource busy or locked'],
  EEXIST: [-17, 'file already exists'],
  EXDEV: [-18, 'cross-device link not permitted'],
  ENOTDIR: [-20, 'not a directory'],
  EISDIR: [-21, 'illegal operation on a directory'],
  EINVAL: [-22, 'invalid argument'],
  EMFILE: [-24, 'too many open files'],
  EFBIG: [-27, 'file too large'],
  ENOSPC: [-28, 'no space left on device'],
  EROFS: [-30, 'read-only file system'],
  EMLINK: [-31, 'too many links'],
  ERANGE: [-34, 'result too large'],
  ENAMETOOLONG: [-36, 'name too long'],
  ENOTEMPTY: [-39, 'directory not empty'],
  ELOOP: [-40, 'too many symbolic links encountered'],
  ENODATA: [-61, 'no data available'],
  ENOTSUP: [-95, 'operation not supported on socket'],
  ECANCELED: [-125, 'operation canceled'],
};

/** The engine's name for each code, for errors that do not come from the engine. */
const REASONS: Readonly<Record<string, string>> = {
  EPERM: 'not-permitted',
  ENOENT: 'not-found',
  ENXIO: 'no-such-address',
  E2BIG: 'too-big',
  EBADF: 'bad-handle',
  EACCES: 'access',
  EBUSY: 'busy',
  EEXIST: 'exists',
  EXDEV: 'cross-device',
  ENOTDIR: 'not-a-directory',
  EISDIR: 'is-a-directory',
  EINVAL: 'invalid',
  EFBIG: 'file-too-big',
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
  EROFS: 'read-only',
  EMLINK: 'too-many-links',
  ERANGE: 'range',
  ENAMETOOLONG: 'name-too-long',
  ENOTEMPTY: 'not-empty',
  ELOOP: 'loop',
  ENODATA: 'no-data',
  ENOTSUP: 'unsupported',
  ECANCELED: 'cancelled',
};

/** Reasons whose own sentence says more than the errno's: it stays in the message. */
const TELLING = new Set([
  'not-a-map',
  'truncated',
  'resized',
  'corrupt',
  'version',
  'feature',
  'io',
  'no-space',
  'locked',
  'poisoned',
  'closed',
  'internal',
  'invalid',
  'range',
  'unsupported',
  'too-big',
  'busy',
  'needs-conversion',
]);

/** The places and names an error belongs to. */
export interface ErrorContext {
  /** The call that failed, as Node spells it ('open', 'scandir', ...). */
  syscall?: string | undefined;
  path?: unknown;
  /** Second path of rename, link, symlink and copyfile. */
  dest?: unknown;
  reason?: string | undefined;
  cluster?: number | undefined;
  /** Bytes from the start of the file, or of the map where no path is named. */
  offset?: number | undefined;
  /** Where the code is none the engine uses. */
  errno?: number | undefined;
  /** Replaces libuv's sentence for the code. */
  sentence?: string | undefined;
  cause?: unknown;
}

/** A failure of the filesystem or of the map below it. */
export class AetherFlowError extends Error {
  /** Negative Linux errno, as in Node on Linux. */
  readonly errno: number;
  /** 'ENOENT', 'EIO', ... */
  readonly code: string;
  declare readonly syscall?: string;
  declare readonly path?: string;
  declare readonly dest?: string;
  /** The engine's stable name of the case: 'not-found', 'corrupt', 'truncated', 'locked', ... */
  readonly reason: string;
  /** Cluster number, for damage. */
  declare readonly cluster?: number;
  /** Byte offset, where one is known. */
  declare readonly offset?: number;
  readonly #sentence: string | undefined;

  constructor(code: string, context: ErrorContext = {}) {
    const known = ERRNO[code];
    const path = display(context.path);
    const dest = display(context.dest);
    let message = `${code}: ${context.sentence ?? known?.[1] ?? 'unknown error'}`;
    if (context.syscall !== undefined) message += `, ${context.syscall}`;
    if (path !== undefined) message += ` '${path}'`;
    if (dest !== undefined) message += ` -> '${dest}'`;
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.#sentence = context.sentence;
    this.errno = context.errno ?? known?.[0] ?? -5;
    this.code = code;
    if (context.syscall !== undefined) this.syscall = context.syscall;
    if (path !== undefined) this.path = path;
    if (dest !== undefined) this.dest = dest;
    this.reason = context.reason ?? REASONS[code] ?? 'io';
    if (context.cluster !== undefined) this.cluster = context.cluster;
    if (context.offset !== undefined) this.offset = context.offset;
  }

  /** The same failure with the call and paths filled in where they were not known. */
  within(syscall: string | undefined, path: unknown, dest: unknown): AetherFlowError {
    if (this.syscall !== undefined || syscall === undefined) return this;
    return new AetherFlowError(this.code, {
      syscall,
      path: this.path ?? path,
      dest: this.dest ?? dest,
      reason: this.reason,
      cluster: this.cluster,
      offset: this.offset,
      sentence: this.#sentence,
    });
  }
}

function display(path: unknown): string | undefined {
  if (path === undefined || path === null) return undefined;
  if (typeof path === 'string') return path;
  if (path instanceof URL) return decodeURIComponent(path.pathname);
  if (path instanceof Uint8Array) return Buffer.from(path).toString();
  return undefined;
}

/** What the engine puts on the errors it throws. */
interface EngineError {
  code: string;
  reason?: string;
  message: string;
  path?: string;
  offset?: number;
  cluster?: number;
}

function isEngineError(error: unknown): error is EngineError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}

/**
 * The engine's error as a Node error: adds the call and the path as the caller wrote it.
 * Errors that are finished already (and wrong-argument errors) pass unchanged.
 */
export function fail(error: unknown, syscall?: string, path?: unknown, dest?: unknown): Error {
  if (error instanceof AetherFlowError) return error.within(syscall, path, dest);
  if (error instanceof WebAssembly.RuntimeError) {
    return new AetherFlowError('EIO', {
      syscall,
      path,
      dest,
      reason: 'internal',
      sentence: `the engine stopped (${error.message}); close the map and open it again`,
      cause: error,
    });
  }
  if (!isEngineError(error)) {
    return error instanceof Error ? error : new Error(String(error));
  }
  if (error.code.startsWith('ERR_')) return error as unknown as Error;
  if ('syscall' in error) return fromSystem(error as NodeJS.ErrnoException);
  const reason = error.reason ?? REASONS[error.code] ?? 'io';
  return new AetherFlowError(error.code, {
    syscall,
    path: path ?? error.path,
    dest,
    reason,
    cluster: error.cluster,
    offset: error.offset,
    sentence: TELLING.has(reason) ? error.message : undefined,
  });
}

/** A failure of the host's own filesystem, with the engine's name for it. */
function fromSystem(error: NodeJS.ErrnoException): AetherFlowError {
  const { code = 'EIO' } = error;
  return new AetherFlowError(code, {
    syscall: error.syscall,
    path: error.path,
    dest: (error as { dest?: string }).dest,
    errno: error.errno,
    sentence:
      ERRNO[code] === undefined ? /^[A-Z0-9]+: ([^,]*)/.exec(error.message)?.[1] : undefined,
    cause: error,
  });
}

/** A Node-style wrong-argument error: `TypeError` with `code`. */
export function invalidArgument(name: string, expected: string, value: unknown): TypeError {
  const error = new TypeError(
    `The "${name}" argument must be ${expected}. Received ${received(value)}`,
  );
  return Object.assign(error, { code: 'ERR_INVALID_ARG_TYPE' });
}

/** A Node-style wrong-value error: `TypeError` with `code`. */
export function invalidValue(name: string, why: string, value: unknown): TypeError {
  const error = new TypeError(`The argument '${name}' ${why}. Received ${received(value)}`);
  return Object.assign(error, { code: 'ERR_INVALID_ARG_VALUE' });
}

/** A Node-style range error: `RangeError` with `code`. */
export function outOfRange(name: string, range: string, value: unknown): RangeError {
  const error = new RangeError(
    `The value of "${name}" is out of range. It must be ${range}. Received ${String(value)}`,
  );
  return Object.assign(error, { code: 'ERR_OUT_OF_RANGE' });
}

/** An error of `fs.cp` and `fs.rm` with a code of Node's own ('ERR_FS_EISDIR'). */
export function systemError(
  code: string,
  errnoName: string,
  message: string,
  syscall: string,
  path: unknown,
): Error {
  const errno = -(ERRNO[errnoName]?.[0] ?? -5);
  const shown = display(path) ?? '';
  const text = `${message}: ${syscall} returned ${errnoName} (${ERRNO[errnoName]?.[1] ?? ''}) ${shown}`;
  const error = new Error(text);
  error.name = 'SystemError';
  return Object.assign(error, { code, errno, syscall, path: shown });
}

/** True for errors that callback-style functions throw at once instead of passing on. */
export function isArgumentError(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  const { code } = error;
  return (
    typeof code === 'string' && (code.startsWith('ERR_INVALID') || code === 'ERR_OUT_OF_RANGE')
  );
}

function received(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'function') return `function ${value.name}`;
  if (typeof value === 'object') {
    const maker: unknown = value.constructor;
    return typeof maker === 'function' ? `an instance of ${maker.name}` : 'an object';
  }
  const text = inspect(value);
  return `type ${typeof value} (${text.length > 28 ? `${text.slice(0, 25)}...` : text})`;
}
