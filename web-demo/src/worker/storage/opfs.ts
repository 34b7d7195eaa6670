/**
 * Files this browser keeps: maps in `maps/`, each with its log beside it, and unfinished or passing
 * things in `temporary/`.
 *
 * Rules: a map is open through exclusive handles, so a second tab is told that it is locked; a new
 * map appears in `maps/` only by the rename of a finished file; files in `temporary/` begin with the
 * name of the worker that made them, which holds a Web Lock of that name, so that what the workers
 * of closed tabs left behind can be told from what is in use.
 */
import type { HostStorage } from '../engine-types';
import { problem, throughEngine } from '../problems';
import { plainText } from '../names';
import { sleep } from '../pace';
import { endOfFile, type Backing } from './backing';

const ENDING = '.rts.png';
/** A tab that is being closed or reloaded gives its files back within moments. */
const LOCK_PATIENCE = 2000;
const LOCK_PREFIX = 'aetherflow-temporary-';
/** Files made for the visitor that are kept: a download may still be reading an older one. */
const KEPT_FILES = 3;

/** What TypeScript does not know yet. */
interface Movable {
  move?(directory: FileSystemDirectoryHandle, name: string): Promise<void>;
}

/** A file behind a synchronous handle. */
export class OpfsStorage implements HostStorage {
  readonly #handle: FileSystemSyncAccessHandle;

  constructor(handle: FileSystemSyncAccessHandle) {
    this.#handle = handle;
  }

  readAt(offset: number, target: Uint8Array): void {
    for (let done = 0; done < target.length;) {
      const count = this.#handle.read(target.subarray(done), { at: offset + done });
      if (count === 0) throw endOfFile(offset, target.length);
      done += count;
    }
  }

  writeAt(offset: number, source: Uint8Array): void {
    this.#guarded(() => {
      for (let done = 0; done < source.length;) {
        const count = this.#handle.write(source.subarray(done), { at: offset + done });
        if (count === 0) throw new DOMException('nothing was written', 'QuotaExceededError');
        done += count;
      }
    });
  }

  sync(): void {
    this.#guarded(() => {
      this.#handle.flush();
    });
  }

  length(): number {
    return this.#handle.getSize();
  }

  setLength(length: number): void {
    this.#guarded(() => {
      this.#handle.truncate(length);
    });
  }

  close(): void {
    this.#handle.close();
  }

  #guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (error instanceof DOMException && error.name === 'QuotaExceededError') {
        throw throughEngine(
          problem(
            'ENOSPC',
            'no-space',
            'There is no space left in this browser for the map.',
            'Delete maps you no longer need, or free space on the disk.',
            error,
          ),
        );
      }
      throw error;
    }
  }
}

async function openHandle(
  directory: FileSystemDirectoryHandle,
  name: string,
  create: boolean,
): Promise<OpfsStorage> {
  const file = await directory.getFileHandle(name, { create });
  const until = performance.now() + LOCK_PATIENCE;
  for (;;) {
    try {
      return new OpfsStorage(await file.createSyncAccessHandle());
    } catch (error) {
      const locked = error instanceof DOMException && error.name === 'NoModificationAllowedError';
      if (!locked || performance.now() > until) throw error;
      await sleep(100);
    }
  }
}

/** A name that a file can have, from one that somebody typed. */
function tidyName(name: string): string {
  const tidy = plainText(name)
    .replace(/(\.rts)?\.png$/i, '')
    // eslint-disable-next-line no-control-regex -- control characters are what is taken out
    .replace(/[\u0000-\u001f\u007f/\\:*?"<>|]+/g, ' ')
    .replace(/\s+/g, ' ')
    .replace(/^[. ]+|[. ]+$/g, '')
    .slice(0, 80)
    // Cut within a character, half of it is left.
    .replace(/\p{Surrogate}$/u, '')
    .trimEnd();
  return tidy === '' ? 'map' : tidy;
}

/** A file in `temporary/`, being written. */
export interface TemporaryFile {
  readonly name: string;
  readonly storage: OpfsStorage;
}

export class Opfs {
  readonly #maps: FileSystemDirectoryHandle;
  readonly #temporary: FileSystemDirectoryHandle;
  readonly #prefix: string;
  readonly #made: string[] = [];
  #count = 0;

  private constructor(
    maps: FileSystemDirectoryHandle,
    temporary: FileSystemDirectoryHandle,
    prefix: string,
  ) {
    this.#maps = maps;
    this.#temporary = temporary;
    this.#prefix = prefix;
  }

  /** Undefined where the browser keeps nothing. */
  static async start(): Promise<Opfs | undefined> {
    try {
      const root = await navigator.storage.getDirectory();
      const maps = await root.getDirectoryHandle('maps', { create: true });
      const temporary = await root.getDirectoryHandle('temporary', { create: true });
      const prefix = crypto.randomUUID();
      await holdLock(LOCK_PREFIX + prefix);
      const opfs = new Opfs(maps, temporary, prefix);
      await opfs.#probe();
      // Nobody waits for it.
      opfs.#sweep().catch(() => undefined);
      return opfs;
    } catch {
      // No secure context, a private window, or storage that is switched off.
      return undefined;
    }
  }

  /** Whether synchronous handles work: some browsers have the rest without them. */
  async #probe(): Promise<void> {
    const file = await this.create();
    file.storage.close();
    await this.#temporary.removeEntry(file.name);
  }

  /** Removes what workers that are gone have left. */
  async #sweep(): Promise<void> {
    // In this order: a worker takes its lock before it makes a file.
    const names: string[] = [];
    for await (const name of this.#temporary.keys()) names.push(name);
    const { held = [] } = await navigator.locks.query();
    const alive = new Set(held.map((lock) => lock.name?.slice(LOCK_PREFIX.length)));
    for (const name of names) {
      if (alive.has(name.slice(0, this.#prefix.length))) continue;
      await this.#temporary.removeEntry(name).catch(() => undefined);
    }
  }

  // ---- maps

  async list(): Promise<{ name: string; bytes: number; modified: number }[]> {
    const list = [];
    for await (const [name, handle] of this.#maps.entries()) {
      if (!name.endsWith(ENDING) || handle.kind !== 'file') continue;
      const file = await (handle as FileSystemFileHandle).getFile();
      list.push({
        name: name.slice(0, -ENDING.length),
        bytes: file.size,
        modified: file.lastModified,
      });
    }
    return list.sort((a, b) => b.modified - a.modified);
  }

  async #exists(name: string): Promise<boolean> {
    try {
      await this.#maps.getFileHandle(name + ENDING);
      return true;
    } catch (error) {
      if (error instanceof DOMException && error.name === 'NotFoundError') return false;
      throw error;
    }
  }

  /** `wanted`, tidied, with a number where it is taken. */
  async freeName(wanted: string): Promise<string> {
    const tidy = tidyName(wanted);
    let name = tidy;
    for (let number = 2; await this.#exists(name); number += 1) name = `${tidy} ${number}`;
    return name;
  }

  async open(name: string): Promise<Backing> {
    if (!(await this.#exists(name))) {
      throw problem(
        'ENOENT',
        'not-found',
        `This browser keeps no map called "${name}".`,
        'It may have been deleted in another tab.',
      );
    }
    return this.#backing(name);
  }

  /** The files of a map that does not exist yet. */
  async createMap(wanted: string): Promise<Backing> {
    const name = await this.freeName(wanted);
    await remove(this.#maps, `${name}${ENDING}-wal`);
    return this.#backing(name, true);
  }

  async #backing(name: string, create = false): Promise<Backing> {
    const storage = await openHandle(this.#maps, name + ENDING, create);
    let log: OpfsStorage;
    try {
      log = await openHandle(this.#maps, `${name}${ENDING}-wal`, true);
    } catch (error) {
      storage.close();
      throw error;
    }
    return {
      kind: 'stored',
      address: name,
      title: name,
      writable: true,
      kept: true,
      storage,
      log,
      release: async (clean) => {
        log.close();
        try {
          // As long as the map itself is held, nobody opens its log.
          if (clean) await remove(this.#maps, `${name}${ENDING}-wal`);
        } finally {
          storage.close();
        }
      },
    };
  }

  /** Deletes a map. @throws what says that it is open in another tab */
  async delete(name: string): Promise<void> {
    if (!(await this.#exists(name))) return;
    // Without its handle a map could be deleted under another tab; and between the two files nobody
    // else may take the name.
    const storage = await openHandle(this.#maps, name + ENDING, false);
    await underNames(async () => {
      storage.close();
      // The log last: were it to go first, a map that is cut off here would have lost its newest work.
      await this.#maps.removeEntry(name + ENDING);
      await remove(this.#maps, `${name}${ENDING}-wal`);
    });
  }

  // ---- temporary files

  async create(): Promise<TemporaryFile> {
    this.#count += 1;
    const name = `${this.#prefix}-${this.#count}`;
    return { name, storage: await openHandle(this.#temporary, name, true) };
  }

  async discard(file: TemporaryFile): Promise<void> {
    file.storage.close();
    await remove(this.#temporary, file.name);
  }

  /** A finished temporary file as a map. Returns its name. */
  async adopt(file: TemporaryFile, wanted: string): Promise<string> {
    file.storage.sync();
    file.storage.close();
    // Two tabs must not choose the same name: a move replaces what is there.
    return underNames(async () => {
      const name = await this.freeName(wanted);
      await remove(this.#maps, `${name}${ENDING}-wal`);
      await move(this.#temporary, file.name, this.#maps, name + ENDING);
      return name;
    });
  }

  /** A finished temporary file for the visitor; it lies on disk until some later ones are made. */
  async give(file: TemporaryFile, name: string, type: string): Promise<File> {
    // Not synced: that can take longer than making it, and nobody needs it after a crash.
    file.storage.close();
    this.#made.push(file.name);
    for (const old of this.#made.splice(0, this.#made.length - KEPT_FILES)) {
      await remove(this.#temporary, old);
    }
    const handle = await this.#temporary.getFileHandle(file.name);
    return new File([await handle.getFile()], name, { type });
  }
}

async function remove(directory: FileSystemDirectoryHandle, name: string): Promise<void> {
  try {
    await directory.removeEntry(name);
  } catch (error) {
    if (!(error instanceof DOMException && error.name === 'NotFoundError')) throw error;
  }
}

async function move(
  from: FileSystemDirectoryHandle,
  name: string,
  to: FileSystemDirectoryHandle,
  newName: string,
): Promise<void> {
  const handle: FileSystemFileHandle & Movable = await from.getFileHandle(name);
  if (handle.move !== undefined) {
    await handle.move(to, newName);
    return;
  }
  const target = await to.getFileHandle(newName, { create: true });
  await (await handle.getFile()).stream().pipeTo(await target.createWritable());
  await from.removeEntry(name);
}

/** Runs what gives or takes names of maps: one tab at a time. */
function underNames<T>(action: () => Promise<T>): Promise<T> {
  return navigator.locks.request('aetherflow-maps', action) as Promise<T>;
}

/** Takes a lock and keeps it as long as this worker lives. */
function holdLock(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(name, () => {
        resolve();
        return new Promise(() => undefined);
      })
      .catch(reject);
  });
}
