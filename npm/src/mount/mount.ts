/**
 * Mounting maps: starting the native helper and waiting until the directory shows the map.
 *
 * What can be known before is said before, in a sentence that names the remedy; the helper looks
 * again, since all of it may change in between.
 */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { realPathOf } from '../backing.js';
import { AetherFlowError, fail, invalidValue } from '../errors.js';
import { lockedError, lockHolder } from '../lock.js';
import { errorOf } from './control.js';
import { findHelper, programInPath } from './helper.js';
import { contact } from './place.js';
import { mountRows, placeOf } from './table.js';
import { unmountMap, type UnmountOptions } from './unmount.js';

/** How a map is mounted. */
export interface MountOptions {
  /** Nothing can be changed through the mount. */
  readOnly?: boolean | undefined;
  /** Other users may go in as well; needs `user_allow_other` in /etc/fuse.conf unless root. */
  allowOther?: boolean | undefined;
  /** Mount this snapshot, read-only, instead of the present. */
  snapshot?: string | undefined;
  /** Memory for caches, in bytes. Default 64 MiB. */
  cacheSize?: number | undefined;
  /** Further options as `mount -o` takes them, such as `uid=1000` or `sync`. */
  options?: readonly string[] | undefined;
  /** A file that the helper writes its log to. */
  log?: string | undefined;
  /** The program to start instead of the one that `findHelper` finds. */
  helper?: string | undefined;
}

/** A mounted map. */
export interface MountedMap extends AsyncDisposable {
  /** Absolute path of the map. */
  readonly map: string;
  /** Absolute path of the directory. */
  readonly mountPoint: string;
  /** Number of the process that serves it. It lives on when this one ends. */
  readonly pid: number;
  /** Path of its control socket, for a `ControlClient`. */
  readonly socket: string | null;
  readonly readOnly: boolean;
  /** As `unmountMap`. */
  unmount(options?: UnmountOptions): Promise<void>;
}

/**
 * Mounts the map file `map` at the empty directory `directory`, by the helper `aetherflow-fuse`.
 * @returns when the directory shows the map
 * @throws ENOENT (reason 'no-helper'), ENODEV ('no-fuse'), EPERM ('no-right') where mounting is not
 *   possible; ENOENT, ENOTDIR, ENOTEMPTY, EBUSY for the directory; EBUSY (reason 'mounted' or
 *   'locked') naming the holder when the map is in use; what `openMap` throws for a bad map
 */
export async function mountMap(
  map: string,
  directory: string,
  options: MountOptions = {},
): Promise<MountedMap> {
  const { program, words } = await prepareMount(map, directory, options);
  const ended = await run(program, [...words, '--daemon', '--json']);
  const said = documentOf(ended.output);
  const described = said?.['error'] ?? documentOf(ended.errors)?.['error'];
  if (ended.code !== 0 || said === undefined || described !== undefined) {
    throw helperError(map, ended, described);
  }
  const mountPoint = String(said['mountPoint']);
  const unmount = async (how: UnmountOptions = {}): Promise<void> => {
    await unmountMap(mountPoint, how);
  };
  return {
    map: String(said['map']),
    mountPoint,
    pid: Number(said['pid']),
    socket: typeof said['socket'] === 'string' ? said['socket'] : null,
    readOnly: said['readOnly'] === true,
    unmount,
    [Symbol.asyncDispose]: () => unmount(),
  };
}

/** The program and the words that mount, after everything was looked at. */
export async function prepareMount(
  map: string,
  directory: string,
  options: MountOptions,
): Promise<{ program: string; words: string[] }> {
  const words = optionWords(options);
  let real: string;
  try {
    real = realPathOf(map);
    checkMap(real);
  } catch (error) {
    throw fail(error, 'mount', map);
  }
  checkLock(real);
  const program = options.helper ?? findHelper();
  checkRights(directory);
  await checkDirectory(directory);
  return { program, words: ['mount', real, placeOf(directory), ...words] };
}

function optionWords(options: MountOptions): string[] {
  const list = [
    ...(options.readOnly === true ? ['ro'] : []),
    ...(options.allowOther === true ? ['allow_other'] : []),
    ...(options.snapshot === undefined ? [] : [`snapshot=${options.snapshot}`]),
    ...(options.cacheSize === undefined ? [] : [`cache_size=${options.cacheSize}`]),
  ];
  const divided = list.find((option) => option.includes(','));
  if (divided !== undefined) throw invalidValue('options', 'must not hold commas', divided);
  list.push(...(options.options ?? []));
  return [
    ...(list.length === 0 ? [] : ['-o', list.join(',')]),
    ...(options.log === undefined ? [] : ['--log', options.log]),
  ];
}

function problem(
  code: string,
  path: string,
  sentence: string,
  reason?: string,
  errno?: number,
): AetherFlowError {
  return new AetherFlowError(code, { syscall: 'mount', path, sentence, reason, errno });
}

function checkMap(map: string): void {
  if (!fs.statSync(map).isFile()) throw problem('EINVAL', map, 'it is no file', 'not-a-map');
}

/** Whether this system and this user can mount anything. */
function checkRights(directory: string): void {
  if (!fs.existsSync('/dev/fuse')) {
    const sentence =
      'there is no /dev/fuse here: load the module with `modprobe fuse`, or give the container the ' +
      'device (`--device /dev/fuse --cap-add SYS_ADMIN`)';
    throw problem('ENODEV', directory, sentence, 'no-fuse', -19);
  }
  const known = ['fusermount3', 'fusermount'].some((name) => programInPath(name) !== undefined);
  if (process.getuid?.() !== 0 && !known) {
    const sentence =
      'only root may mount without the program fusermount3: install the package fuse3, or mount as root';
    throw problem('EPERM', directory, sentence, 'no-right');
  }
}

function checkLock(map: string): void {
  const holder = lockHolder(map);
  if (holder !== undefined) throw lockedError(map, holder);
}

async function checkDirectory(directory: string): Promise<void> {
  const place = placeOf(directory);
  const row = mountRows().findLast(({ mountPoint }) => mountPoint === place);
  if (row !== undefined) {
    const found = await contact(row);
    // The helper detaches what a dead one left.
    if (found.kind === 'dead') return;
    if (found.kind === 'connected') found.client.close();
    const sentence = `${row.map} is mounted there; unmount it first, or choose another directory`;
    throw problem('EBUSY', directory, sentence, 'in-use');
  }
  let names: string[];
  try {
    names = fs.readdirSync(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      const sentence = 'there is no such directory; make it first';
      throw problem('ENOENT', directory, sentence, 'no-directory');
    }
    if (code === 'ENOTDIR') {
      const sentence = 'it is no directory; a map is mounted at an empty directory';
      throw problem('ENOTDIR', directory, sentence, 'no-directory');
    }
    throw fail(error, 'mount', directory);
  }
  if (names.length > 0) {
    const sentence = 'it is not empty; a map is mounted at an empty directory';
    throw problem('ENOTEMPTY', directory, sentence);
  }
}

/** A helper that came to its end, or went into the background. */
interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  readonly errors: string;
}

/** Milliseconds that output may come after the end: a daemon could keep the pipes open. */
const LATE_OUTPUT = 500;

function run(program: string, words: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    const text = { output: '', errors: '' };
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text.output += part));
    child.stderr.setEncoding('utf8').on('data', (part: string) => (text.errors += part));
    child.on('error', (error) => {
      reject(fail(error, 'spawn', program));
    });
    child.on('exit', (code, signal) => {
      const finish = (): void => {
        clearTimeout(timer);
        child.stdout.destroy();
        child.stderr.destroy();
        resolve({ code, signal, ...text });
      };
      const timer = setTimeout(finish, LATE_OUTPUT);
      child.on('close', finish);
    });
  });
}

/** The last JSON object among the lines of `text`. */
function documentOf(text: string): Record<string, unknown> | undefined {
  for (const part of [text, ...text.trim().split('\n').reverse()]) {
    try {
      const value: unknown = JSON.parse(part);
      if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
    } catch {
      // Not this one.
    }
  }
  return undefined;
}

function helperError(map: string, ended: Ended, described: unknown): AetherFlowError {
  if (typeof described === 'object' && described !== null) {
    return errorOf(described as Record<string, unknown>).within('mount', map, undefined);
  }
  const said =
    ended.errors
      .trim()
      .split('\n')[0]
      ?.replace(/^aetherflow-fuse: /u, '') ?? '';
  if (ended.code === WRONG_USAGE) return problem('EINVAL', map, said, 'usage');
  const end = ended.signal === null ? `code ${ended.code ?? 'unknown'}` : ended.signal;
  const sentence = `aetherflow-fuse ended with ${end}${said === '' ? '' : `: ${said}`}`;
  return problem('EIO', map, sentence, 'helper');
}

/** How the helper ends when it does not understand an option. */
const WRONG_USAGE = 2;
