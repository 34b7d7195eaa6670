/**
 * An open map as the commands use it: inodes, names as bytes, records decoded.
 *
 * The only module of the command line that opens maps. Commands work below the path level because
 * names in a map are bytes, which the string API of the library cannot always express.
 */
import { type Backing, openBacking } from '../backing.js';
import type { EngineOptions, RawMap as ContractMap, SnapshotInfo } from '../contract.js';
import { type Entry, Gate, STAT } from '../gate.js';
import { FileStorage } from '../storage-node.js';
import { RawMap } from '../wasm.js';
import { EXIT } from './exit-codes.js';
import { attempt, Failure, fieldsOf } from './failure.js';
import { displayName } from './output.js';
import { pathBytes, splitPath } from './paths.js';

/** The engine, with what only the bulk loader uses. */
export type EngineMap = ContractMap & {
  /** The importance that the rules give a path (its bytes lie in the scratch buffer), 0..255. */
  importanceOfPath(pathLength: number): number;
  /** Makes an empty regular file; EEXIST where the name is taken. */
  createFile(parent: number, nameLength: number, mode: number, uid: number, gid: number): number;
};

/** Type bits of a mode. */
export const TYPE = {
  mask: 0o170000,
  socket: 0o140000,
  link: 0o120000,
  file: 0o100000,
  block: 0o060000,
  directory: 0o040000,
  character: 0o020000,
  fifo: 0o010000,
} as const;

/** DT_* of a directory entry that is a directory. */
export const DT_DIRECTORY = 4;

/** Mask bits of `setattr`. */
export const SET = { mode: 1, uid: 2, gid: 4, atime: 8, mtime: 16, birth: 32 } as const;

/** A point in time: whole seconds since the epoch (floor) and nanoseconds 0..999,999,999. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** Everything known about an inode. Sizes in bytes. */
export interface Attributes {
  readonly ino: number;
  readonly size: number;
  /** Units of 512 bytes. */
  readonly blocks: number;
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly atime: Timestamp;
  readonly mtime: Timestamp;
  readonly ctime: Timestamp;
  readonly birthtime: Timestamp;
  readonly importance: number;
}

/** A node met on a walk. */
export interface Visited {
  /** Path from the start of the walk's own path on. */
  readonly path: Buffer;
  readonly name: Buffer;
  readonly ino: number;
  /** DT_* */
  readonly type: number;
  readonly depth: number;
}

/** Most components a walk descends: a map deeper than this is not one that was made by us. */
const DEPTH_LIMIT = 4096;

export class Session {
  readonly path: string;
  readonly gate: Gate;
  readonly #backing: Backing | undefined;
  readonly #views: Gate[] = [];

  constructor(path: string, gate: Gate, backing?: Backing) {
    this.path = path;
    this.gate = gate;
    this.#backing = backing;
  }

  get raw(): EngineMap {
    return this.gate.raw;
  }

  get root(): number {
    return this.gate.root;
  }

  /** Writes back, seals the picture and lets go of the lock. Closing twice is fine. */
  close(): void {
    for (const view of this.#views.splice(0)) view.release();
    if (this.gate.closed) return;
    let clean = false;
    try {
      attempt('cannot close', this.path, () => {
        if (!this.gate.readOnly) this.raw.close();
      });
      clean = true;
    } finally {
      this.#letGo(clean);
    }
  }

  /** Lets go without writing anything more; what was synced stays recoverable. */
  abandon(): void {
    for (const view of this.#views.splice(0)) view.release();
    // Freeing an open engine drops it without writing.
    if (!this.gate.closed) this.#letGo(false);
  }

  #letGo(clean: boolean): void {
    try {
      this.gate.release();
    } finally {
      this.#backing?.release(clean);
    }
  }

  /** A read-only view of a snapshot; closed together with this session. */
  snapshot(name: string): Session {
    const raw = attempt('cannot open snapshot', `${name} of ${this.path}`, () =>
      this.raw.snapshotOpen(name),
    );
    const gate = new Gate(raw);
    this.#views.push(gate);
    return new Session(this.path, gate);
  }

  /** What failures name: `PATH in MAP`. */
  where(path: Uint8Array | string): string {
    return `${displayName(path)} in ${this.path}`;
  }

  /** The inode at `path` (absolute or relative to the root). */
  resolve(path: Uint8Array, follow = true): number {
    return attempt('cannot find', this.where(path), () => this.gate.resolve(path, follow));
  }

  /** The inode at `path`, undefined where nothing is there. */
  find(path: Uint8Array, follow = true): number | undefined {
    try {
      return this.gate.resolve(path, follow);
    } catch (error) {
      if (fieldsOf(error).code === 'ENOENT') return undefined;
      return attempt('cannot find', this.where(path), () => {
        throw error;
      });
    }
  }

  /**
   * The inode at `path` without following any symbolic link on the way, undefined where nothing
   * is there.
   */
  walkTo(path: Uint8Array): number | undefined {
    let ino = this.root;
    for (const name of splitPath(path)) {
      if (!isDirectory(this.stat(ino).mode)) return undefined;
      ino = this.gate.lookup(ino, name);
      if (ino === 0) return undefined;
    }
    return ino;
  }

  /** Parent inode and last name of `path`; fails where the path has no last name. */
  parentOf(path: Uint8Array): { parent: number; name: Buffer } {
    return attempt('cannot find', this.where(path), () => {
      const trimmed = trimSlashes(path);
      if (trimmed.length === 0) {
        throw new Failure(EXIT.exists, 'cannot change', this.where(path), 'it is the root');
      }
      const parent = this.gate.resolveParent(trimmed);
      const name = this.gate.lastName();
      const text = name.toString('latin1');
      if (text === '.' || text === '..') {
        throw new Failure(
          EXIT.usage,
          'cannot use',
          this.where(path),
          'the path ends in a dot name',
        );
      }
      return { parent, name };
    });
  }

  stat(ino: number): Attributes {
    this.raw.stat(ino);
    const { gate } = this;
    const view = gate.view;
    const time = (offset: number): Timestamp => ({
      seconds: gate.seconds(offset),
      nanoseconds: view.getUint32(offset + 8, true),
    });
    return {
      ino: view.getFloat64(STAT.ino, true),
      size: view.getFloat64(STAT.size, true),
      blocks: view.getFloat64(STAT.blocks, true),
      mode: view.getUint32(STAT.mode, true),
      links: view.getUint32(STAT.nlink, true),
      uid: view.getUint32(STAT.uid, true),
      gid: view.getUint32(STAT.gid, true),
      rdev: view.getFloat64(STAT.rdev, true),
      atime: time(STAT.atime),
      mtime: time(STAT.mtime),
      ctime: time(STAT.ctime),
      birthtime: time(STAT.birthtime),
      importance: view.getUint32(STAT.importance, true),
    };
  }

  /** Entries of a directory in the byte order of their names. */
  list(ino: number): Entry[] {
    return this.gate.entries(ino).sort((a, b) => Buffer.compare(a.name, b.name));
  }

  /** Target bytes of a symbolic link. */
  readlink(ino: number): Buffer {
    return this.gate.readlink(ino);
  }

  /** Names of the extended attributes of an inode. */
  attributeNames(ino: number): Buffer[] {
    const bytes = this.gate.take(this.raw.listxattr(ino));
    const names: Buffer[] = [];
    let start = 0;
    for (let end = bytes.indexOf(0, start); end !== -1; end = bytes.indexOf(0, start)) {
      names.push(bytes.subarray(start, end));
      start = end + 1;
    }
    return names;
  }

  attribute(ino: number, name: Uint8Array): Buffer {
    return this.gate.take(this.raw.getxattr(ino, this.gate.put(name)));
  }

  setAttribute(ino: number, name: Uint8Array, value: Uint8Array): void {
    const length = this.gate.put(name);
    this.gate.scratch.set(value, length);
    this.raw.setxattr(ino, length, value.length, 0);
  }

  mkdir(parent: number, name: Uint8Array, mode: number, uid: number, gid: number): number {
    return this.raw.mkdir(parent, this.gate.put(name), mode, uid, gid);
  }

  create(parent: number, name: Uint8Array, mode: number, uid: number, gid: number): number {
    return this.raw.createFile(parent, this.gate.put(name), mode, uid, gid);
  }

  mknod(
    parent: number,
    name: Uint8Array,
    mode: number,
    uid: number,
    gid: number,
    rdev: number,
  ): number {
    return this.raw.mknod(parent, this.gate.put(name), mode, uid, gid, rdev);
  }

  symlink(parent: number, name: Uint8Array, target: Uint8Array, uid: number, gid: number): number {
    const length = this.gate.put(name);
    this.gate.put(target, length);
    return this.raw.symlink(parent, length, target.length, uid, gid);
  }

  link(ino: number, parent: number, name: Uint8Array): void {
    this.raw.link(ino, parent, this.gate.put(name));
  }

  unlink(parent: number, name: Uint8Array): void {
    this.raw.unlink(parent, this.gate.put(name));
  }

  rmdir(parent: number, name: Uint8Array): void {
    this.raw.rmdir(parent, this.gate.put(name));
  }

  rename(from: number, name: Uint8Array, to: number, newName: Uint8Array, flags: number): void {
    const length = this.gate.put(name);
    this.gate.put(newName, length);
    this.raw.rename(from, length, to, newName.length, flags);
  }

  /** Sets both times of an inode. */
  setTimes(ino: number, atime: Timestamp, mtime: Timestamp): void {
    this.raw.setattr(
      ino,
      SET.atime | SET.mtime,
      0,
      0,
      0,
      atime.seconds,
      atime.nanoseconds,
      mtime.seconds,
      mtime.nanoseconds,
    );
  }

  setMode(ino: number, mode: number): void {
    this.raw.setattr(ino, SET.mode, mode & 0o7777, 0, 0, 0, 0, 0, 0);
  }

  setOwner(ino: number, mode: number, uid: number, gid: number): void {
    this.raw.setattr(ino, SET.mode | SET.uid | SET.gid, mode & 0o7777, uid, gid, 0, 0, 0, 0);
  }

  /** Everything below `start`, parents before children, names in byte order. */
  *walk(start: number, path: Buffer, deepest = Infinity): Generator<Visited> {
    interface Level {
      readonly path: Buffer;
      readonly entries: Entry[];
      next: number;
    }
    const levels: Level[] = [{ path, entries: this.list(start), next: 0 }];
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const entry = level.entries[level.next];
      if (entry === undefined) {
        levels.pop();
        continue;
      }
      level.next += 1;
      const child = joinPath(level.path, entry.name);
      const depth = levels.length;
      yield { path: child, name: entry.name, ino: entry.ino, type: entry.type, depth };
      if (entry.type === DT_DIRECTORY && depth < deepest) {
        if (depth >= DEPTH_LIMIT) {
          throw new Failure(
            EXIT.damaged,
            'cannot walk',
            this.where(child),
            `more than ${String(DEPTH_LIMIT)} directories deep`,
            'run `aetherflow verify`',
            { reason: 'corrupt' },
          );
        }
        levels.push({ path: child, entries: this.list(entry.ino), next: 0 });
      }
    }
  }

  snapshots(): SnapshotInfo[] {
    return this.raw.snapshotList();
  }
}

/** Opens the map at `path`; failures name it. `ignoreLock` is for the holder of the lock. */
export function openSession(
  path: string,
  mode: 'r' | 'r+',
  options: { ignoreLock?: boolean } = {},
): Session {
  const backing = attempt('cannot open', path, () => {
    const own = mode === 'r' && options.ignoreLock === true ? { lock: false } : {};
    return openBacking(path, { mode, program: PROGRAM, ...own }, {});
  });
  return new Session(path, new Gate(backing.raw), backing);
}

/**
 * Makes an empty map at `path`, where nothing must be and which nobody knows yet: without a lock
 * and without a log, so it is whole only once it is closed.
 */
export function createSession(path: string, engine: EngineOptions): Session {
  return attempt('cannot create', path, () => {
    const storage = new FileStorage(path, 'wx+');
    try {
      const raw = RawMap.createOn(storage, undefined, engine);
      const release = (): void => {
        storage.close();
      };
      return new Session(path, new Gate(raw), { raw, path, release });
    } catch (error) {
      storage.close();
      throw error;
    }
  });
}

/** The name that others see in the lock file. */
const PROGRAM = 'aetherflow';

/** Opens a map, hands it to `action`, and closes it; on failure nothing more is written. */
export async function withSession<T>(
  path: string,
  mode: 'r' | 'r+',
  action: (session: Session) => T | Promise<T>,
): Promise<T> {
  const session = openSession(path, mode);
  let result: T;
  try {
    result = await action(session);
  } catch (error) {
    // What failed was one operation; what the map took before it is whole and is kept.
    try {
      session.close();
    } catch {
      session.abandon();
    }
    throw error;
  }
  session.close();
  return result;
}

/** As {@link withSession} for reading, inside snapshot `snapshot` where one is named. */
export function withView<T>(
  path: string,
  snapshot: string | undefined,
  action: (session: Session) => T | Promise<T>,
): Promise<T> {
  return withSession(path, 'r', (session) =>
    action(snapshot === undefined ? session : session.snapshot(snapshot)),
  );
}

/** The bytes of a path argument, as an absolute path. */
export function mapPath(argument: string): Buffer {
  const bytes = pathBytes(argument);
  return bytes[0] === SLASH ? bytes : Buffer.concat([Buffer.from('/'), bytes]);
}

const SLASH = 0x2f;

/** `directory/name`. */
export function joinPath(directory: Uint8Array, name: Uint8Array): Buffer {
  const slash = directory.length > 0 && directory[directory.length - 1] === SLASH ? 0 : 1;
  const joined = Buffer.allocUnsafe(directory.length + slash + name.length);
  joined.set(directory, 0);
  if (slash === 1) joined[directory.length] = SLASH;
  joined.set(name, directory.length + slash);
  return joined;
}

/** Without slashes at the end. */
export function trimSlashes(path: Uint8Array): Buffer {
  let end = path.length;
  while (end > 0 && path[end - 1] === SLASH) end -= 1;
  return Buffer.from(path.buffer, path.byteOffset, end);
}

export function isDirectory(mode: number): boolean {
  return (mode & TYPE.mask) === TYPE.directory;
}

export function isLink(mode: number): boolean {
  return (mode & TYPE.mask) === TYPE.link;
}

export function isFile(mode: number): boolean {
  return (mode & TYPE.mask) === TYPE.file;
}

/** Milliseconds since the epoch, for people. */
export function milliseconds(time: Timestamp): number {
  return time.seconds * 1000 + Math.floor(time.nanoseconds / 1e6);
}

/** `<seconds>.<nanoseconds>` exactly, as JSON prints times. */
export function exactTime(time: Timestamp): string {
  const fraction = String(time.nanoseconds).padStart(9, '0');
  if (time.seconds >= 0 || time.nanoseconds === 0) return `${String(time.seconds)}.${fraction}`;
  const rest = String(1_000_000_000 - time.nanoseconds).padStart(9, '0');
  const whole = time.seconds + 1;
  return `${whole === 0 ? '-0' : String(whole)}.${rest}`;
}

/** The word for a node's type, as `find --type` and JSON use it. */
export function typeName(mode: number): string {
  switch (mode & TYPE.mask) {
    case TYPE.directory:
      return 'directory';
    case TYPE.link:
      return 'symlink';
    case TYPE.file:
      return 'file';
    case TYPE.fifo:
      return 'fifo';
    case TYPE.character:
      return 'character-device';
    case TYPE.block:
      return 'block-device';
    case TYPE.socket:
      return 'socket';
    default:
      return 'unknown';
  }
}

/** `drwxr-xr-x` */
export function modeString(mode: number): string {
  const types: Readonly<Record<number, string>> = {
    [TYPE.directory]: 'd',
    [TYPE.link]: 'l',
    [TYPE.file]: '-',
    [TYPE.fifo]: 'p',
    [TYPE.character]: 'c',
    [TYPE.block]: 'b',
    [TYPE.socket]: 's',
  };
  const triple = (bits: number, special: boolean, letter: string): string =>
    (bits & 4 ? 'r' : '-') +
    (bits & 2 ? 'w' : '-') +
    (special ? (bits & 1 ? letter : letter.toUpperCase()) : bits & 1 ? 'x' : '-');
  return (
    (types[mode & TYPE.mask] ?? '?') +
    triple(mode >> 6, (mode & 0o4000) !== 0, 's') +
    triple(mode >> 3, (mode & 0o2000) !== 0, 's') +
    triple(mode, (mode & 0o1000) !== 0, 't')
  );
}

/** Major and minor number of a Linux device number. */
export function deviceNumbers(rdev: number): { major: number; minor: number } {
  const value = BigInt(rdev);
  const major = ((value >> 8n) & 0xfffn) | ((value >> 32n) & ~0xfffn);
  const minor = (value & 0xffn) | ((value >> 12n) & ~0xffn & 0xffffffffn);
  return { major: Number(major), minor: Number(minor) };
}
