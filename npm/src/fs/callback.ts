/**
 * The callback forms, derived from the synchronous ones.
 *
 * Rules: the work is done at the call, the callback always comes later; wrong arguments throw at
 * once, everything else goes to the callback.
 */

import { promisify } from 'node:util';
import { isArgumentError } from '../errors.js';
import { checkCallback } from './arguments.js';
import type { CallbackFs, CallbackName } from './node-types.js';
import type { SyncPart } from './sync.js';

type AnyFunction = (...args: unknown[]) => unknown;
type Done = (...results: unknown[]) => void;

/** Calls whose callback gets nothing but an error, or one value. */
const PLAIN = [
  'access',
  'appendFile',
  'chmod',
  'chown',
  'close',
  'copyFile',
  'fchmod',
  'fchown',
  'fdatasync',
  'fstat',
  'fsync',
  'ftruncate',
  'futimes',
  'lchown',
  'link',
  'lstat',
  'lutimes',
  'mkdir',
  'mkdtemp',
  'open',
  'opendir',
  'readFile',
  'readdir',
  'readlink',
  'rename',
  'rm',
  'rmdir',
  'stat',
  'statfs',
  'symlink',
  'truncate',
  'unlink',
  'utimes',
  'writeFile',
] as const satisfies readonly CallbackName[];

/** Bytes that `fs.read` allocates when it gets no buffer. */
const READ_BUFFER = 16_384;

function answer(done: Done, action: () => unknown, ...extra: unknown[]): void {
  let result: unknown;
  try {
    result = action();
  } catch (error) {
    if (isArgumentError(error)) throw error;
    process.nextTick(done, error);
    return;
  }
  if (result === undefined && extra.length === 0) process.nextTick(done, null);
  else process.nextTick(done, null, result, ...extra);
}

function plain(name: string, action: AnyFunction): AnyFunction {
  const form = (...args: unknown[]): void => {
    const done = checkCallback(args.pop());
    answer(done, () => action(...args));
  };
  Object.defineProperty(form, 'name', { value: name });
  return form;
}

/** A call whose callback gets a count and the buffers; promisified, it gives an object of both. */
function counted(action: AnyFunction, count: string, what: string): AnyFunction {
  const form = (...args: unknown[]): void => {
    const done = checkCallback(args.pop());
    answer(done, () => action(...args), args[1]);
  };
  const promised = (...args: unknown[]): Promise<object> =>
    new Promise((resolve) => {
      resolve({ [count]: action(...args), [what]: args[1] });
    });
  return Object.assign(form, { [promisify.custom]: promised });
}

/** `read(fd, [buffer | options], ..., callback)` with its optional parts put in order. */
function readArguments(args: unknown[]): unknown[] {
  const [fd, second, ...rest] = args;
  if (ArrayBuffer.isView(second)) return args;
  if (second === undefined || second === null)
    return [fd, Buffer.allocUnsafe(READ_BUFFER), ...rest];
  if (typeof second !== 'object') return args;
  const { buffer, ...options } = second as { buffer?: unknown };
  return [fd, buffer ?? Buffer.allocUnsafe(READ_BUFFER), options];
}

/** Makes the callback functions. */
export function makeCallbacks({ sync, cpAsync }: SyncPart): CallbackFs {
  const actions = sync as unknown as Record<string, AnyFunction>;
  const forms: Record<string, unknown> = {};
  for (const name of PLAIN) {
    const action = actions[`${name}Sync`];
    if (action !== undefined) forms[name] = plain(name, action);
  }

  const read = counted(actions.readSync as AnyFunction, 'bytesRead', 'buffer');
  forms.read = Object.assign((...args: unknown[]): void => {
    const done = args.pop();
    read(...readArguments(args), done);
  }, promisifiedAs(read));
  forms.write = counted(actions.writeSync as AnyFunction, 'bytesWritten', 'buffer');
  forms.readv = counted(actions.readvSync as AnyFunction, 'bytesRead', 'buffers');
  forms.writev = counted(actions.writevSync as AnyFunction, 'bytesWritten', 'buffers');

  const realpath = actions.realpathSync as AnyFunction;
  forms.realpath = Object.assign(plain('realpath', realpath), {
    native: plain('realpath', realpath),
  });

  forms.exists = Object.assign(
    (path: unknown, callback: unknown): void => {
      process.nextTick(checkCallback(callback), actions.existsSync?.(path));
    },
    { [promisify.custom]: (path: unknown) => Promise.resolve(actions.existsSync?.(path)) },
  );

  forms.cp = (...args: unknown[]): void => {
    const done = checkCallback(args.pop());
    cpAsync(args[0], args[1], args[2] as never).then(() => {
      process.nextTick(done, null);
    }, done);
  };
  return forms as unknown as CallbackFs;
}

function promisifiedAs(form: AnyFunction): object {
  return { [promisify.custom]: (form as unknown as Record<symbol, unknown>)[promisify.custom] };
}
