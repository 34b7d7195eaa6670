/**
 * One writer at a time: the lock file beside the map, as in docs/FORMAT.md, "The lock file". The
 * native engine implements the same.
 *
 * Rules: the file appears under its name with its content, or not at all (a hard link to a
 * finished draft). A lock is taken over only when its holder is known to be gone: another boot of
 * this host, no such process, or another process under its number; a holder on another host counts
 * as alive. Only who holds the guard `MAP-lock.takeover`, which stands for a moment, may take a
 * stale lock away; nobody removes a file that is not, byte for byte, the one that was judged.
 */

import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { hostname } from 'node:os';
import { AetherFlowError } from './errors.js';
import { mountPointOf } from './mount/table.js';

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

/** The program that mounts maps. */
const MOUNTER = 'aetherflow-fuse';
/** A lock file without readable content is someone's crash once it is this old, in ms. */
const UNREADABLE_AGE = 10_000;
const ATTEMPTS = 32;
/** Milliseconds between looks at a lock that is being changed. */
const PAUSE = 10;

function bootId(): string | null {
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return null;
  }
}

/** State and start time (clock ticks since boot) of a process; undefined when unknown. */
function processState(pid: number): { state: string; started: number } | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may itself hold ") ".
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const started = Number(fields[19]);
    return Number.isFinite(started) ? { state: fields[0] ?? '', started } : undefined;
  } catch {
    return undefined;
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

function isGone(record: LockRecord): boolean {
  if (record.host !== hostname()) return false;
  const boot = bootId();
  if (boot !== null && record.boot_id !== null && boot !== record.boot_id) return true;
  if (!isAlive(record.pid)) return true;
  const now = processState(record.pid);
  if (now === undefined) return false;
  // A zombie holds nothing any more.
  if (now.state === 'Z' || now.state === 'X') return true;
  return record.started !== null && now.started !== record.started;
}

function parse(text: string): LockRecord | undefined {
  try {
    const record = JSON.parse(text) as Partial<LockRecord> | null;
    if (record === null || typeof record !== 'object') return undefined;
    if (!Number.isSafeInteger(record.pid) || Number(record.pid) <= 0) return undefined;
    if (typeof record.host !== 'string') return undefined;
    return {
      pid: Number(record.pid),
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

type Judgement =
  | { kind: 'absent' }
  | { kind: 'held'; holder: LockRecord }
  | { kind: 'gone'; text: string }
  | { kind: 'unreadable' };

/** Who holds the lock file at `path`, if anybody. */
function judge(path: string): Judgement {
  const text = readOptional(path);
  if (text === undefined) return { kind: 'absent' };
  const holder = parse(text);
  if (holder !== undefined)
    return isGone(holder) ? { kind: 'gone', text } : { kind: 'held', holder };
  const stats = fs.statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return { kind: 'absent' };
  const leftover = Date.now() - stats.mtimeMs >= UNREADABLE_AGE;
  return leftover ? { kind: 'gone', text } : { kind: 'unreadable' };
}

/** Waits a moment: opening is synchronous, so the waiting is too. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
}

/** The lock file's path for the map at `path`. */
export function lockPath(path: string): string {
  return `${path}-lock`;
}

/** Who holds the map at `path`, or undefined when nobody alive does. */
export function lockHolder(path: string): LockRecord | undefined {
  const judgement = judge(lockPath(path));
  return judgement.kind === 'held' ? judgement.holder : undefined;
}

/** The error for a map that is in use; the reason is 'mounted' where a directory shows it. */
export function lockedError(path: string, holder: LockRecord | undefined): AetherFlowError {
  const serves = holder !== undefined && (holder.socket !== null || holder.program === MOUNTER);
  const mountPoint = serves ? mountPointOf(path) : undefined;
  if (serves && mountPoint !== undefined) {
    return new AetherFlowError('EBUSY', {
      syscall: 'open',
      path,
      reason: 'mounted',
      sentence: `the map is mounted at ${mountPoint} (process ${holder.pid})`,
    });
  }
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
      started: processState(process.pid)?.started ?? null,
      program: options.program,
      mode: options.mode,
      socket: options.socket ?? null,
      since: new Date().toISOString(),
    };
    const content = `${JSON.stringify(record)}\n`;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      if (createWhole(target, content)) return new MapLock(target, content);
      const judgement = judge(target);
      if (judgement.kind === 'held') throw lockedError(path, judgement.holder);
      if (judgement.kind === 'gone') takeOver(path, target, content);
      // Its writer may be about to finish.
      else if (judgement.kind === 'unreadable') pause();
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

/**
 * Removes the lock at `target` if its holder is gone. Without the guard, the lock of a process
 * that took over earlier could be taken away in its turn.
 */
function takeOver(path: string, target: string, content: string): void {
  const guard = `${target}.takeover`;
  if (createWhole(guard, content)) {
    try {
      const judgement = judge(target);
      if (judgement.kind === 'gone') takeAway(path, target, judgement.text);
    } finally {
      fs.rmSync(guard, { force: true });
    }
    return;
  }
  const judgement = judge(guard);
  if (judgement.kind === 'gone') takeAway(path, guard, judgement.text);
  else if (judgement.kind !== 'absent') pause();
}

/** Removes `target` if it holds `expected`; what turns out to be another file is put back. */
function takeAway(path: string, target: string, expected: string): void {
  const caught = uniqueName(target);
  try {
    fs.renameSync(target, caught);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const text = readOptional(caught) ?? '';
  if (text === expected) {
    fs.rmSync(caught, { force: true });
    return;
  }
  putBack(caught, target);
  const holder = parse(text);
  if (holder !== undefined) throw lockedError(path, holder);
}

function putBack(caught: string, target: string): void {
  try {
    fs.linkSync(caught, target);
  } catch {
    // No links here; a rename could replace a newer lock, so only where there is none.
    if (!fs.existsSync(target)) {
      fs.renameSync(caught, target);
      return;
    }
  }
  fs.rmSync(caught, { force: true });
}
