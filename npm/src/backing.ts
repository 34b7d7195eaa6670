/**
 * The file behind a map: opening, creating, converting, and letting go of it.
 *
 * Rules: a writer holds the lock from before it looks at the file until after it has closed it;
 * a file that existed is only ever replaced by a finished one, through a rename in its directory.
 */

import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { EngineOptions, RawMap as Raw } from './contract.js';
import { AetherFlowError, fail, invalidValue } from './errors.js';
import { lockedError, lockHolder, MapLock } from './lock.js';
import { FileStorage, LogStorage, syncDirectory } from './storage-node.js';
import { RawMap } from './wasm.js';

/**
 * How a map file is opened, in the words of `fs.open`:
 * `r` read only; `r+` read and write, must exist; `w` create or replace; `wx` create, must not
 * exist; `a` read and write, created when missing. A `+` after `w`, `wx` and `a` changes nothing.
 */
export type OpenMode = 'r' | 'r+' | 'w' | 'w+' | 'wx' | 'wx+' | 'a' | 'a+';

/** What concerns the file and not the map in it. */
export interface BackingOptions {
  /** Default `r+`. */
  mode?: OpenMode | undefined;
  /** Named in the lock file and in the message others get. Default: the name of the main script. */
  program?: string | undefined;
  /** Path of a control socket, written into the lock file. */
  socket?: string | null | undefined;
  /** False reads without looking at the lock: for maps on read-only media. Only with mode `r`. */
  lock?: boolean | undefined;
}

/** An engine over a file, and how to let go of the file. */
export interface Backing {
  readonly raw: Raw;
  /** Absolute path of the map, symbolic links resolved. */
  readonly path: string;
  /** Closes the files and gives the lock back; after a clean close the log goes away. */
  release(clean: boolean): void;
}

/** The absolute path that `given` means, symbolic links resolved; the file need not exist. */
export function realPathOf(given: string): string {
  try {
    return fs.realpathSync(given);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  try {
    return path.join(fs.realpathSync(path.dirname(given)), path.basename(given));
  } catch {
    return path.resolve(given);
  }
}

function logPath(map: string): string {
  return `${map}-wal`;
}

function programName(): string {
  return path.basename(process.argv[1] ?? process.title);
}

/** Opens or creates the map file at `given`. */
export function openBacking(
  given: string,
  options: BackingOptions,
  engine: EngineOptions,
): Backing {
  const mode = options.mode ?? 'r+';
  try {
    const real = realPathOf(given);
    if (mode === 'r') return openForReading(real, options, engine);
    if (!/^(r\+|wx?\+?|a\+?)$/.test(mode))
      throw invalidValue('mode', 'is no way to open a map', mode);
    return openForWriting(real, mode, options, engine);
  } catch (error) {
    throw fail(error, 'open', given);
  }
}

function openForReading(map: string, options: BackingOptions, engine: EngineOptions): Backing {
  const storage = new FileStorage(map, 'r');
  try {
    const holder = options.lock === false ? undefined : lockHolder(map);
    if (holder !== undefined) throw lockedError(map, holder);
    if (RawMap.detectOn(storage) === 'foreign') {
      const raw = RawMap.open(fs.readFileSync(map), { ...engine, readOnly: true });
      return {
        raw,
        path: map,
        release: () => {
          storage.close();
        },
      };
    }
    const log = fs.existsSync(logPath(map)) ? new LogStorage(logPath(map), false) : undefined;
    const raw = RawMap.openOn(storage, log, { ...engine, readOnly: true });
    const release = (): void => {
      storage.close();
      log?.close(false);
    };
    return { raw, path: map, release };
  } catch (error) {
    storage.close();
    throw error;
  }
}

function openForWriting(
  map: string,
  mode: OpenMode,
  options: BackingOptions,
  engine: EngineOptions,
): Backing {
  // Before the lock, so that a file that is missing or not ours leaves no trace.
  if (mode === 'r+') fs.closeSync(fs.openSync(map, 'r+'));
  const program = options.program ?? programName();
  const lock = MapLock.acquire(map, { program, mode, socket: options.socket ?? null });
  try {
    const exists = fs.existsSync(map);
    if (mode.startsWith('wx') && exists) {
      throw new AetherFlowError('EEXIST', { syscall: 'open', path: map });
    }
    if (mode.startsWith('w') || !exists) return create(map, exists, lock, engine);
    return openLive(map, lock, engine);
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Both files of a map that is open for writing. */
class Files {
  readonly storage: FileStorage;
  readonly log: LogStorage;

  constructor(file: string, map: string, flags: string, mode = 0o666) {
    this.storage = new FileStorage(file, flags, mode);
    this.log = new LogStorage(logPath(map), true);
  }

  close(clean: boolean): void {
    this.log.close(clean);
    this.storage.close();
  }

  backing(raw: Raw, map: string, lock: MapLock): Backing {
    const release = (clean: boolean): void => {
      try {
        this.close(clean);
      } finally {
        lock.release();
      }
    };
    return { raw, path: map, release };
  }
}

function temporaryName(map: string): string {
  return `${map}.${process.pid}-${randomBytes(4).toString('hex')}.part`;
}

function create(map: string, exists: boolean, lock: MapLock, engine: EngineOptions): Backing {
  const file = exists ? temporaryName(map) : map;
  fs.rmSync(logPath(map), { force: true });
  const files = new Files(file, map, 'wx+', exists ? fs.statSync(map).mode & 0o777 : 0o666);
  try {
    const raw = RawMap.createOn(files.storage, files.log, engine);
    if (exists) fs.renameSync(file, map);
    syncDirectory(map);
    return files.backing(raw, map, lock);
  } catch (error) {
    files.close(true);
    fs.rmSync(file, { force: true });
    throw error;
  }
}

function openLive(map: string, lock: MapLock, engine: EngineOptions): Backing {
  if (formOf(map) !== 'live') convert(map, engine);
  const files = new Files(map, map, 'r+');
  try {
    return files.backing(RawMap.openOn(files.storage, files.log, engine), map, lock);
  } catch (error) {
    files.close(false);
    throw error;
  }
}

function formOf(map: string): ReturnType<typeof RawMap.detectOn> {
  const storage = new FileStorage(map, 'r');
  try {
    return RawMap.detectOn(storage);
  } finally {
    storage.close();
  }
}

/** Replaces a packed or re-saved map by its live form. */
function convert(map: string, engine: EngineOptions): void {
  const temporary = temporaryName(map);
  const stats = fs.statSync(map);
  const source = new FileStorage(map, 'r');
  try {
    const target = new FileStorage(temporary, 'wx+', stats.mode & 0o777);
    try {
      RawMap.unpackOn(source, target, engine);
      target.sync();
    } finally {
      target.close();
    }
    fs.chmodSync(temporary, stats.mode & 0o7777);
    keepOwner(temporary, stats);
    fs.renameSync(temporary, map);
    syncDirectory(map);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  } finally {
    source.close();
  }
}

function keepOwner(file: string, stats: fs.Stats): void {
  try {
    fs.chownSync(file, stats.uid, stats.gid);
  } catch (error) {
    // Only root may give files away; others keep the file as their own.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
  }
}
