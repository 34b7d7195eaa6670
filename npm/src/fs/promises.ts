/**
 * The promise forms, derived from the synchronous ones.
 */

import { checkOptions, checkSignal } from './arguments.js';
import { FileHandle, isIterable } from './handle.js';
import { later } from './later.js';
import type { PromiseName, PromisesFs } from './node-types.js';
import type { Streams } from './streams.js';
import type { SyncPart } from './sync.js';

type AnyFunction = (...args: unknown[]) => unknown;

const PLAIN = [
  'access',
  'chmod',
  'chown',
  'copyFile',
  'lchown',
  'link',
  'lstat',
  'lutimes',
  'mkdir',
  'mkdtemp',
  'opendir',
  'readdir',
  'readlink',
  'realpath',
  'rename',
  'rm',
  'rmdir',
  'stat',
  'statfs',
  'symlink',
  'truncate',
  'unlink',
  'utimes',
] as const satisfies readonly PromiseName[];

function promised(name: string, action: AnyFunction): AnyFunction {
  const form = (...args: unknown[]): Promise<unknown> => later(() => action(...args));
  Object.defineProperty(form, 'name', { value: name });
  return form;
}

interface WriteOptions {
  flag: string;
  mode: number;
  signal: AbortSignal;
  encoding: BufferEncoding;
}

/** Makes `map.fs.promises`. */
export function makePromises(
  { sync, cpAsync }: SyncPart,
  streams: Streams,
  constants: PromisesFs['constants'],
): PromisesFs {
  const actions = sync as unknown as Record<string, AnyFunction>;
  const forms: Record<string, unknown> = { constants, cp: cpAsync };
  for (const name of PLAIN) {
    const action = actions[`${name}Sync`];
    if (action !== undefined) forms[name] = promised(name, action);
  }

  const open = (path: unknown, flags?: unknown, mode?: unknown): Promise<FileHandle> =>
    later(() => {
      const fd = sync.openSync(path as string, (flags ?? 'r') as string, mode as number);
      return new FileHandle(sync, streams, fd);
    });

  /** `writeFile` of an iterable: through a handle, which stays the caller's if it was given. */
  const writeParts = async (
    target: unknown,
    data: unknown,
    options: unknown,
    flag: string,
  ): Promise<void> => {
    if (target instanceof FileHandle) return target.writeFile(data, options);
    const given = checkOptions<WriteOptions>(options);
    checkSignal(given.signal);
    const handle = await open(target, given.flag ?? flag, given.mode);
    try {
      await handle.writeFile(data, options);
    } finally {
      await handle.close();
    }
  };

  const writing = (name: 'writeFileSync' | 'appendFileSync', flag: string) => {
    const action = sync[name] as AnyFunction;
    return (target: unknown, data: unknown, options?: unknown): Promise<unknown> =>
      target instanceof FileHandle || isIterable(data)
        ? writeParts(target, data, options, flag)
        : later(() => action(target, data, options));
  };

  forms.open = open;
  forms.readFile = (target: unknown, options?: unknown): Promise<unknown> =>
    target instanceof FileHandle
      ? target.readFile(options)
      : later(() => sync.readFileSync(target as string, options as BufferEncoding));
  forms.writeFile = writing('writeFileSync', 'w');
  forms.appendFile = writing('appendFileSync', 'a');
  return forms as unknown as PromisesFs;
}
