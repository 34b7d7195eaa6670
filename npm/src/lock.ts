/**
 * One writer at a time: the lock file beside the map.
 *
 * `MAP-lock` is a JSON document that names its holder. It appears with its content in one step (a
 * hard link to a finished file), so nobody reads half of it. A lock is stale when its holder ran
 * on this host and is gone: another boot, no such process, or a process of the same number that
 * started at another time. A lock from another host is never judged stale. Taking over renames
 * the stale file to a name of our own and looks at what was caught before going on, so two
 * processes cannot both win.
 */

import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { hostname } from 'node:os';
import { AetherFlowError } from './errors.js';

/** What the lock file says. */
export interface LockRecord {
  pid: number;
  host: string;
  /** Linux boot id; null where the system has none. */
  boot_id: string | null;
  /** Start time of the process in clock ticks since boot (field 22 of /proc/PID/stat), or null. */
  started: number | null;
  /** Name of the holding program, for messages. */
  program: string;
  mode: string;
  /** Path of the control socket of a mounted map, or null. */
  socket: string | null;
  /** When the lock was taken, ISO 8601. */
  since: string;
}

/** A lock file without readable content is someone's crash once it is this old, in ms. */
const UNREADABLE_AGE = 10_000;
const ATTEMPTS = 20;

function bootId(): string | null {
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return null;
  }
}

/** Start time of a process in clock ticks since boot; null when it cannot be known. */
function startTime(pid: number): number | null {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may itself hold ") ".
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[19]);
    return Number.isFinite(ticks) ? ticks : null;
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function isStale(record: LockRecord): boolean {
  if (record.host !== hostname()) return false;
  const boot = bootId();
  if (boot !== null && record.boot_id !== null && boot !== record.boot_id) return true;
  if (!isAlive(record.pid)) return true;
  const started = startTime(record.pid);
  return started !== null && record.started !== null && started !== record.started;
}

function parse(text: string): LockRecord | undefined {
  try {
    const record = JSON.parse(text) as Partial<LockRecord> | null;
    if (record === null || typeof record !== 'object') return undefined;
    if (typeof record.pid !== 'number' || typeof record.host !== 'string') return undefined;
    return {
      pid: record.pid,
      host: record.host,
      boot_id: record.boot_id ?? null,
      started: record.started ?? null,
      program: record.program ?? 'unknown program',
      mode: record.mode ?? 'r+',
      socket: record.socket ?? null,
      since: record.since ?? 'an unknown time',
    };
  } catch {
    return undefined;
  }
}

function readOptional(path: string): string | undefined {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function ageOf(path: string): number {
  const stats = fs.statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? 0 : Date.now() - stats.mtimeMs;
}

/** The lock file's path for the map at `path`. */
export function lockPath(path: string): string {
  return `${path}-lock`;
}

/** Who holds the map at `path`, or undefined when nobody alive does. */
export function lockHolder(path: string): LockRecord | undefined {
  const text = readOptional(lockPath(path));
  const record = text === undefined ? undefined : parse(text);
  return record === undefined || isStale(record) ? undefined : record;
}

/** The error for a map that is in use. */
export function lockedError(path: string, holder: LockRecord | undefined): AetherFlowError {
  const who =
    holder === undefined
      ? 'another process that is just taking it'
      : `process ${holder.pid} (${holder.program}) on ${holder.host} since ${holder.since}`;
  return new AetherFlowError('EBUSY', {
    syscall: 'open',
    path,
    reason: 'locked',
    sentence: `the map is in use by ${who}`,
  });
}

/** A held lock. */
export class MapLock {
  readonly #path: string;
  readonly #content: string;
  #held = true;

  private constructor(path: string, content: string) {
    this.#path = path;
    this.#content = content;
  }

  /**
   * Takes the lock of the map at `path`.
   * @throws EBUSY (reason 'locked') naming the holder when somebody alive has it
   */
  static acquire(
    path: string,
    options: { program: string; mode: string; socket?: string | null },
  ): MapLock {
    const target = lockPath(path);
    const record: LockRecord = {
      pid: process.pid,
      host: hostname(),
      boot_id: bootId(),
      started: startTime(process.pid),
      program: options.program,
      mode: options.mode,
      socket: options.socket ?? null,
      since: new Date().toISOString(),
    };
    const content = `${JSON.stringify(record)}\n`;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      if (createWhole(target, content)) return new MapLock(target, content);
      const text = readOptional(target);
      if (text === undefined) continue;
      const holder = parse(text);
      if (holder === undefined && ageOf(target) < UNREADABLE_AGE)
        throw lockedError(path, undefined);
      if (holder !== undefined && !isStale(holder)) throw lockedError(path, holder);
      removeStale(path, target, text);
    }
    throw lockedError(path, undefined);
  }

  /** Gives the lock back; a lock file that is not ours any more is left alone. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    if (readOptional(this.#path) === this.#content) fs.rmSync(this.#path, { force: true });
  }
}

function uniqueName(target: string): string {
  return `${target}.${process.pid}.${randomBytes(6).toString('hex')}`;
}

/** Creates `target` with its content in one step; false when it exists. */
function createWhole(target: string, content: string): boolean {
  const own = uniqueName(target);
  fs.writeFileSync(own, content, { flag: 'wx' });
  try {
    fs.linkSync(own, target);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    // Filesystems without hard links: content then follows creation, which readers wait out.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error;
    return createExclusive(target, content);
  } finally {
    fs.rmSync(own, { force: true });
  }
}

function createExclusive(target: string, content: string): boolean {
  try {
    fs.writeFileSync(target, content, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Moves a stale lock away; if a fresh one was caught instead, it is put back. */
function removeStale(path: string, target: string, judged: string): void {
  const caught = uniqueName(target);
  try {
    fs.renameSync(target, caught);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const text = readOptional(caught);
  if (text === judged || text === undefined) {
    fs.rmSync(caught, { force: true });
    return;
  }
  createExclusive(target, text);
  fs.rmSync(caught, { force: true });
  throw lockedError(path, parse(text));
}
