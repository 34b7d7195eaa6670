/** Unmounting maps, also those whose process is gone, and listing what is mounted. */
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { AetherFlowError } from '../errors.js';
import { lockHolder } from '../lock.js';
import { programInPath } from './helper.js';
import { contact, type Contact, sentenceOf } from './place.js';
import { findMount, mountRows, type MountRow } from './table.js';

export interface UnmountOptions {
  /** Detach now, and finish when nobody uses it any more. */
  lazy?: boolean | undefined;
}

/** A row of the list of mounted maps. */
export interface MountInfo {
  /** Absolute path of the map. */
  readonly map: string;
  /** Absolute path of the directory. */
  readonly mountPoint: string;
  /** The process that serves it; null when it is gone or not known. */
  readonly pid: number | null;
  readonly socket: string | null;
  /** 'degraded': something failed, and changes are refused; 'dead': its process is gone. */
  readonly state: 'read-write' | 'read-only' | 'degraded' | 'dead';
  /** Why it is in this state, where that needs saying. */
  readonly reason: string | null;
  /** When it was mounted, ISO 8601, where known. */
  readonly since: string | null;
}

/** Milliseconds that writing back and closing may take before the caller is told. */
const CLOSING = 120_000;
const PAUSE = 20;

/** What was unmounted. */
export interface Unmounted {
  /** Absolute path of the map. */
  readonly map: string;
  /** Absolute path of the directory. */
  readonly mountPoint: string;
  /** The process that served it was gone: the map recovers when it is opened. */
  readonly wasDead: boolean;
}

/** The error for a target that no map is mounted at. */
function notMounted(target: string): AetherFlowError {
  return new AetherFlowError('EINVAL', {
    syscall: 'umount',
    path: target,
    reason: 'not-mounted',
    sentence: 'it is neither a mounted map nor a directory that a map is mounted at',
  });
}

/**
 * Unmounts a map, named by its file or by its directory.
 * @returns when the map is closed and its file may be used by others; with `lazy` when it is detached
 * @throws EINVAL (reason 'not-mounted'); EBUSY (reason 'in-use') while somebody works in it; EPERM
 *   when it belongs to another user
 */
export async function unmountMap(target: string, options: UnmountOptions = {}): Promise<Unmounted> {
  const row = findMount(target);
  if (row === undefined) throw notMounted(target);
  const lazy = options.lazy ?? false;
  const found = await contact(row);
  if (found.kind === 'connected') {
    const { pid } = found.client.greeting;
    try {
      await found.client.call('unmount', { lazy });
    } catch (error) {
      // It may be gone before its answer is written.
      if (!(error instanceof AetherFlowError && error.code === 'ECONNRESET'))
        throw inUse(row, error);
    } finally {
      found.client.close();
    }
    await settle(row, lazy ? undefined : pid);
    return { map: row.map, mountPoint: row.mountPoint, wasDead: false };
  }
  // What nobody serves any more can only be detached, and holds nothing that could be lost.
  const wasDead = found.kind === 'dead';
  await detach(row, lazy || wasDead);
  await settle(row, lazy || wasDead ? undefined : (found.pid ?? undefined));
  return { map: row.map, mountPoint: row.mountPoint, wasDead };
}

/** EBUSY of the server with the reason that tells it from a map that is locked. */
function inUse(row: MountRow, error: unknown): unknown {
  if (!(error instanceof AetherFlowError) || error.code !== 'EBUSY') return error;
  return busyError(row, sentenceOf(error));
}

function busyError(row: MountRow, sentence: string): AetherFlowError {
  const { mountPoint: path } = row;
  return new AetherFlowError('EBUSY', { syscall: 'umount', path, reason: 'in-use', sentence });
}

function count(row: MountRow): number {
  const same = (other: MountRow): boolean =>
    other.mountPoint === row.mountPoint && other.map === row.map;
  return mountRows().filter(same).length;
}

/** Waits until the mount is gone and, where `pid` is given, until that process let go of the map. */
async function settle(row: MountRow, pid: number | undefined): Promise<void> {
  const end = Date.now() + CLOSING;
  const isHeld = (): boolean => pid !== undefined && lockHolder(row.map)?.pid === pid;
  while (count(row) > 0 || isHeld()) {
    if (Date.now() > end) {
      throw new AetherFlowError('ETIMEDOUT', {
        syscall: 'umount',
        path: row.mountPoint,
        errno: -110,
        reason: 'io',
        sentence: `process ${pid ?? 'unknown'} is still writing to the map`,
      });
    }
    await sleep(PAUSE);
  }
}

/** Unmounts without the help of the process that served it. */
async function detach(row: MountRow, lazy: boolean): Promise<void> {
  const [program, ...words] = detachCommand(lazy);
  if (program === undefined) {
    throw new AetherFlowError('EPERM', {
      syscall: 'umount',
      path: row.mountPoint,
      reason: 'no-right',
      sentence: 'neither fusermount3 nor the right to unmount is there: do it as root',
    });
  }
  const said = await runQuietly(program, [...words, row.mountPoint]);
  if (said === undefined) return;
  if (/busy/iu.test(said)) {
    throw busyError(row, 'somebody still works in it: open files, or a working directory');
  }
  throw new AetherFlowError('EPERM', {
    syscall: 'umount',
    path: row.mountPoint,
    sentence: said,
    reason: 'no-right',
  });
}

function detachCommand(lazy: boolean): readonly string[] {
  const umount = programInPath('umount') ?? '/bin/umount';
  // `-i` keeps umount from asking a helper program for the type.
  if (process.getuid?.() === 0) return [umount, '-i', ...(lazy ? ['-l'] : [])];
  const fusermount = programInPath('fusermount3') ?? programInPath('fusermount');
  return fusermount === undefined ? [] : [fusermount, '-u', ...(lazy ? ['-z'] : [])];
}

/** Undefined when the program succeeded, else what it said. */
function runQuietly(program: string, words: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(program, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (part: string) => (said += part));
    child.on('error', (error) => {
      resolve(error.message);
    });
    child.on('close', (code) => {
      const last = said.trim().split('\n').at(-1) ?? '';
      resolve(code === 0 ? undefined : last || `${program} ended with ${code ?? 'a signal'}`);
    });
  });
}

/** Every mounted map of this system, as far as this process sees them. */
export function listMounts(): Promise<MountInfo[]> {
  return Promise.all(mountRows().map(describe));
}

async function describe(row: MountRow): Promise<MountInfo> {
  const found = await contact(row);
  const { map, mountPoint } = row;
  const place = { map, mountPoint };
  if (found.kind === 'dead') {
    const reason = 'the process that served it is gone';
    return { ...place, pid: null, socket: null, state: 'dead', reason, since: null };
  }
  const kernel = row.readOnly ? 'read-only' : 'read-write';
  if (found.kind === 'silent') {
    const reason = `it does not answer: ${found.why}`;
    return { ...place, pid: found.pid, socket: null, state: kernel, reason, since: null };
  }
  return ask(row, found, kernel);
}

async function ask(
  row: MountRow,
  { client }: Extract<Contact, { kind: 'connected' }>,
  kernel: 'read-only' | 'read-write',
): Promise<MountInfo> {
  const { map, mountPoint } = row;
  const { socket } = client;
  const { pid } = client.greeting;
  try {
    const said = (await client.call('status')) as Partial<MountInfo> | null;
    const known = ['read-write', 'read-only', 'degraded'] as const;
    const state = known.find((one) => one === said?.state) ?? kernel;
    const reason = typeof said?.reason === 'string' ? said.reason : null;
    return { map, mountPoint, pid, socket, state, reason, since: timeOf(said?.since) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { map, mountPoint, pid, socket, state: 'degraded', reason, since: null };
  } finally {
    client.close();
  }
}

/** A time as ISO 8601, from text or from milliseconds since the epoch. */
function timeOf(value: unknown): string | null {
  if (typeof value !== 'string' && typeof value !== 'number') return null;
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
