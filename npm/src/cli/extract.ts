/**
 * Writes nodes of a map into a host directory, and never outside of it.
 *
 * Names come from the map, so they are hostile: a name that is empty, a dot name, or holds a slash
 * or NUL is refused. The host directory may be hostile too: nothing is written through a symbolic
 * link. On Linux every directory on the way is held open and entries are made relative to it
 * (`/proc/self/fd/N/name` is what openat is elsewhere), so swapping a directory for a link while we
 * work changes nothing. Elsewhere each directory is checked by lstat before it is entered.
 *
 * Node sets times with microseconds; nanoseconds below that are lost on the host.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';

import { AttributeRestore } from './build/xattrs.js';
import { EXIT } from './exit-codes.js';
import { Failure, failureOf, fieldsOf, oneLine, OutputClosed, whyOf } from './failure.js';
import { displayName } from './output.js';
import type { Attributes, Session, Timestamp } from './session.js';
import { deviceNumbers, isDirectory, isFile, isLink, joinPath, TYPE } from './session.js';

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_DIRECTORY } = fs.constants;
/** Bytes moved at once: what one engine call delivers. */
const CHUNK = 1 << 20;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
/** Directories inside each other at most: each holds a descriptor. */
const DEPTH_LIMIT = 4096;

/** What to do where something is in the way; `ask` decides for one path. */
export type OverwritePolicy = 'refuse' | 'force' | 'skip' | ((target: string) => boolean);

export interface ExtractOptions {
  readonly overwrite: OverwritePolicy;
  /** Go on past damage and unwritable files; they are listed in the report. */
  readonly keepGoing: boolean;
  /** Keep setuid, setgid and sticky bits of files. */
  readonly special: boolean;
  /** Set owners (needs root). */
  readonly owners: boolean;
  readonly xattrs: boolean;
  readonly progress: (doneBytes: number) => void;
}

export interface ExtractReport {
  files: number;
  directories: number;
  symlinks: number;
  others: number;
  hardLinks: number;
  bytes: number;
  /** Existing files left as they were. */
  kept: number;
  /** What was left out, with the reason. */
  skipped: { path: string; why: string }[];
  /** Remarks that are nobody's failure. */
  notes: string[];
}

/** An open host directory that entries are made in. */
interface Place {
  /** Its path as the user knows it. */
  readonly shown: Buffer;
  /** Prefix that reaches its entries without following links again. */
  readonly prefix: Buffer;
  readonly descriptor: number;
}

interface Level {
  readonly place: Place;
  readonly attributes: Attributes;
  readonly ino: number;
  readonly entries: { name: Buffer; ino: number }[];
  next: number;
}

export class Extractor {
  readonly report: ExtractReport = {
    files: 0,
    directories: 0,
    symlinks: 0,
    others: 0,
    hardLinks: 0,
    bytes: 0,
    kept: 0,
    skipped: [],
    notes: [],
  };
  readonly #session: Session;
  readonly #options: ExtractOptions;
  readonly #root: Place;
  readonly #viaProc = fs.existsSync('/proc/self/fd');
  readonly #isRoot = process.getuid?.() === 0;
  /** Host path of the first name of an inode with several. */
  readonly #linked = new Map<number, Buffer>();
  readonly #restore = new AttributeRestore();
  /** Modes that would forbid setting attributes; applied after them. */
  readonly #lateModes: { path: Buffer; mode: number }[] = [];
  #bytesDone = 0;

  /** @param directory where to extract to; made when missing. A link to it is the user's own. */
  constructor(session: Session, directory: string | Buffer, options: ExtractOptions) {
    this.#session = session;
    this.#options = options;
    fs.mkdirSync(directory, { recursive: true });
    const real = fs.realpathSync(directory, { encoding: 'buffer' });
    this.#root = this.#open(real, real);
  }

  /** Extracts the whole map (or snapshot) into the directory. */
  all(): void {
    const { root } = this.#session;
    const attributes = this.#session.stat(root);
    this.#children(root, attributes, this.#root);
    this.#finishDirectory(this.#root, root, attributes);
  }

  /** Extracts the node at map path components `names`, parents included, below the directory. */
  path(names: readonly Buffer[]): void {
    const session = this.#session;
    let place = this.#root;
    let ino = session.root;
    const parents: { place: Place; ino: number; attributes: Attributes }[] = [];
    for (const [index, name] of names.entries()) {
      const child = isDirectory(session.stat(ino).mode) ? session.gate.lookup(ino, name) : 0;
      if (child === 0) throw this.#missing(names);
      if (index === names.length - 1) {
        this.node(child, name, place);
        break;
      }
      const attributes = session.stat(child);
      if (!isDirectory(attributes.mode)) throw this.#missing(names);
      const inner = this.#enter(place, name);
      if (inner === undefined) return;
      parents.push({ place: inner, ino: child, attributes });
      place = inner;
      ino = child;
    }
    for (const parent of parents.reverse()) {
      this.#finishDirectory(parent.place, parent.ino, parent.attributes);
      fs.closeSync(parent.place.descriptor);
    }
  }

  #missing(names: readonly Buffer[]): Failure {
    const path = Buffer.concat(names.flatMap((name) => [Buffer.from('/'), name]));
    return new Failure(
      EXIT.notFound,
      'cannot extract',
      this.#session.where(path),
      'no such file or directory',
      'list what is there with `aetherflow ls`',
      { reason: 'not-found', code: 'ENOENT' },
    );
  }

  /** Extracts one node and all below it as `name` in the directory (or in `place`). */
  node(ino: number, name: Buffer, place: Place = this.#root): void {
    const attributes = this.#session.stat(ino);
    if (!isDirectory(attributes.mode)) {
      this.#guard(place, name, () => {
        this.#leaf(ino, attributes, name, place);
      });
      return;
    }
    const inner = this.#guard(place, name, () => this.#enter(place, name));
    if (inner === undefined) return;
    this.#children(ino, attributes, inner);
    this.#finishDirectory(inner, ino, attributes);
    fs.closeSync(inner.descriptor);
  }

  /** Attributes, late modes; call once at the end. */
  finish(): ExtractReport {
    this.report.notes.push(...this.#restore.apply());
    for (const { path: target, mode } of this.#lateModes) fs.chmodSync(target, mode);
    fs.closeSync(this.#root.descriptor);
    return this.report;
  }

  /** Everything below a directory, without recursion: maps may be deep. */
  #children(ino: number, attributes: Attributes, place: Place): void {
    const levels: Level[] = [this.#level(ino, attributes, place)];
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const entry = level.entries[level.next];
      if (entry === undefined) {
        levels.pop();
        if (levels.length > 0) {
          this.#finishDirectory(level.place, level.ino, level.attributes);
          fs.closeSync(level.place.descriptor);
        }
        continue;
      }
      level.next += 1;
      const here = level.place;
      this.#guard(here, entry.name, () => {
        const found = this.#session.stat(entry.ino);
        if (!isDirectory(found.mode)) {
          this.#leaf(entry.ino, found, entry.name, here);
          return;
        }
        if (levels.length >= DEPTH_LIMIT) throw new Error('too many directories inside each other');
        const inner = this.#enter(here, entry.name);
        if (inner !== undefined) levels.push(this.#level(entry.ino, found, inner));
      });
    }
  }

  #level(ino: number, attributes: Attributes, place: Place): Level {
    return { place, attributes, ino, entries: this.#session.gate.entries(ino), next: 0 };
  }

  /** Runs one step; under --keep-going a failure is noted and the work goes on. */
  #guard<T>(place: Place, name: Buffer, step: () => T): T | undefined {
    try {
      if (!isSafeName(name)) {
        throw new Failure(
          EXIT.damaged,
          'cannot extract',
          oneLine(displayName(name)),
          'a name that would lead out of the target directory',
          'run `aetherflow verify`',
          { reason: 'corrupt' },
        );
      }
      return step();
    } catch (error) {
      const shown = displayName(joinPath(place.shown, name));
      const refused = error instanceof Failure && error.exit === EXIT.exists;
      if (error instanceof OutputClosed || !this.#options.keepGoing || refused) {
        throw failureOf(error, 'cannot extract to', shown);
      }
      this.report.skipped.push({
        path: shown,
        why: error instanceof Failure ? error.why : whyOf(error),
      });
      return undefined;
    }
  }

  #open(reach: Buffer, shown: Buffer): Place {
    const descriptor = fs.openSync(reach, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    const prefix = this.#viaProc ? Buffer.from(`/proc/self/fd/${String(descriptor)}`) : shown;
    return { shown, prefix, descriptor };
  }

  /** Makes (or checks) a directory and opens it; undefined where the user keeps what is there. */
  #enter(place: Place, name: Buffer): Place | undefined {
    const reach = joinPath(place.prefix, name);
    const shown = joinPath(place.shown, name);
    try {
      fs.mkdirSync(reach, 0o700);
    } catch (error) {
      if (fieldsOf(error).code !== 'EEXIST') throw error;
      if (!fs.lstatSync(reach).isDirectory()) {
        if (!this.#clear(reach, shown)) return undefined;
        fs.mkdirSync(reach, 0o700);
      }
    }
    this.report.directories += 1;
    return this.#open(reach, shown);
  }

  /**
   * Makes room at a path where something is.
   * @returns false where what is there stays
   */
  #clear(reach: Buffer, shown: Buffer): boolean {
    const { overwrite } = this.#options;
    const text = displayName(shown);
    if (overwrite === 'skip') {
      this.report.kept += 1;
      return false;
    }
    if (overwrite === 'refuse') throw existsFailure(text);
    if (fs.lstatSync(reach).isDirectory()) {
      throw new Failure(
        EXIT.exists,
        'cannot replace',
        text,
        'a directory is in the way of a file',
        'move it away',
        { reason: 'exists', code: 'EISDIR' },
      );
    }
    if (typeof overwrite === 'function' && !overwrite(text)) {
      this.report.kept += 1;
      return false;
    }
    fs.unlinkSync(reach);
    return true;
  }

  #leaf(ino: number, attributes: Attributes, name: Buffer, place: Place): void {
    const reach = joinPath(place.prefix, name);
    const shown = joinPath(place.shown, name);
    if (
      fs.lstatSync(reach, { throwIfNoEntry: false }) !== undefined &&
      !this.#clear(reach, shown)
    ) {
      return;
    }
    const first = attributes.links > 1 ? this.#linked.get(ino) : undefined;
    if (first !== undefined) {
      fs.linkSync(first, reach);
      this.report.hardLinks += 1;
      return;
    }
    if (isFile(attributes.mode)) {
      this.#file(ino, attributes, reach, shown);
    } else if (isLink(attributes.mode)) {
      fs.symlinkSync(this.#session.readlink(ino), reach);
      if (this.#options.owners) fs.lchownSync(reach, attributes.uid, attributes.gid);
      fs.lutimesSync(reach, hostTime(attributes.atime), hostTime(attributes.mtime));
      this.#attributes(ino, shown);
      this.report.symlinks += 1;
    } else if (!this.#special(ino, attributes, reach, shown)) {
      return;
    }
    if (attributes.links > 1) this.#linked.set(ino, this.#rootPath(shown));
  }

  /** A path below the open root, for linking to it later. */
  #rootPath(shown: Buffer): Buffer {
    return Buffer.concat([this.#root.prefix, shown.subarray(this.#root.shown.length)]);
  }

  #file(ino: number, attributes: Attributes, reach: Buffer, shown: Buffer): void {
    const descriptor = fs.openSync(reach, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      this.#data(ino, attributes.size, descriptor);
      const wanted = this.#fileMode(attributes.mode);
      if (this.#options.owners) fs.fchownSync(descriptor, attributes.uid, attributes.gid);
      const late = this.#attributes(ino, shown) && !this.#isRoot && (wanted & 0o200) === 0;
      if (late) this.#lateModes.push({ path: shown, mode: wanted });
      else fs.fchmodSync(descriptor, wanted);
      fs.futimesSync(descriptor, hostTime(attributes.atime), hostTime(attributes.mtime));
      this.report.files += 1;
    } catch (error) {
      // Half a file is worse than none: it looks like the real one.
      try {
        fs.unlinkSync(reach);
      } catch {
        // It is gone already.
      }
      throw error;
    } finally {
      fs.closeSync(descriptor);
    }
  }

  /** Copies the data, leaving holes where the map has holes. */
  #data(ino: number, size: number, descriptor: number): void {
    const { raw, gate } = this.#session;
    let position = 0;
    while (position < size) {
      const start = seekOrEnd(() => raw.seek(ino, position, SEEK_DATA), size);
      if (start >= size) break;
      const end = Math.min(
        size,
        seekOrEnd(() => raw.seek(ino, start, SEEK_HOLE), size),
      );
      position = start;
      while (position < end) {
        const count = raw.read(ino, position, Math.min(CHUNK, end - position));
        if (count === 0) throw new Error(`the file ends at byte ${String(position)}`);
        let written = 0;
        const data = gate.scratch;
        while (written < count) {
          written += fs.writeSync(descriptor, data, written, count - written, position + written);
        }
        position += count;
        this.#bytesDone += count;
        this.#options.progress(this.#bytesDone);
      }
    }
    fs.ftruncateSync(descriptor, size);
    this.report.bytes += size;
  }

  #special(ino: number, attributes: Attributes, reach: Buffer, shown: Buffer): boolean {
    const type = attributes.mode & TYPE.mask;
    // The program has its own descriptors; ours are reached through our process number.
    const target = reach.toString('latin1').replace('/proc/self/', `/proc/${String(process.pid)}/`);
    if (!Buffer.from(target, 'latin1').equals(Buffer.from(target, 'utf8'))) {
      this.#skip(shown, 'a special file whose name is not plain ASCII cannot be made from Node');
      return false;
    }
    const { major, minor } = deviceNumbers(attributes.rdev);
    let made;
    if (type === TYPE.fifo) {
      made = spawnSync('mkfifo', ['-m', '600', '--', target], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
    } else if (type === TYPE.character || type === TYPE.block) {
      const letter = type === TYPE.character ? 'c' : 'b';
      made = spawnSync('mknod', ['-m', '600', '--', target, letter, String(major), String(minor)], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
    } else {
      this.#skip(shown, 'sockets belong to the program that listens on them');
      return false;
    }
    if (made.error !== undefined || made.status !== 0) {
      const why = made.error?.message ?? made.stderr.toString('utf8').trim();
      this.#skip(shown, `special file not made: ${why}`);
      return false;
    }
    if (this.#options.owners) fs.lchownSync(reach, attributes.uid, attributes.gid);
    fs.chmodSync(reach, this.#fileMode(attributes.mode));
    fs.lutimesSync(reach, hostTime(attributes.atime), hostTime(attributes.mtime));
    this.#attributes(ino, shown);
    this.report.others += 1;
    return true;
  }

  #skip(shown: Buffer, why: string): void {
    this.report.notes.push(`${displayName(shown)}: ${why}`);
  }

  #finishDirectory(place: Place, ino: number, attributes: Attributes): void {
    const mode = attributes.mode & 0o7777;
    const wanted = this.#options.special || this.#isRoot ? mode : mode & ~0o6000;
    if (this.#options.owners) fs.fchownSync(place.descriptor, attributes.uid, attributes.gid);
    const late = this.#attributes(ino, place.shown) && !this.#isRoot && (wanted & 0o300) !== 0o300;
    if (late) this.#lateModes.push({ path: place.shown, mode: wanted });
    else fs.fchmodSync(place.descriptor, wanted);
    fs.futimesSync(place.descriptor, hostTime(attributes.atime), hostTime(attributes.mtime));
  }

  /** Remembers the attributes of a node; true where it has any. */
  #attributes(ino: number, shown: Buffer): boolean {
    if (!this.#options.xattrs) return false;
    const session = this.#session;
    const names = session.attributeNames(ino);
    if (names.length === 0) return false;
    this.#restore.add(
      shown,
      names.map((name) => ({ name, value: session.attribute(ino, name) })),
    );
    return true;
  }

  #fileMode(mode: number): number {
    return this.#options.special ? mode & 0o7777 : mode & 0o1777;
  }
}

/** The failure of a name that is taken. */
export function existsFailure(target: string): Failure {
  return new Failure(
    EXIT.exists,
    'cannot write',
    target,
    'it exists already',
    'use --force to replace files, --skip-existing to keep them, or another directory',
    { reason: 'exists', code: 'EEXIST' },
  );
}

/**
 * What extracting one node as `path` would replace, undefined when nothing: a directory merges
 * into a directory.
 */
export function conflictAt(session: Session, ino: number, path: Buffer): Buffer | undefined {
  const there = fs.lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return undefined;
  if (!isDirectory(session.stat(ino).mode)) return path;
  return there.isDirectory() ? firstConflict(session, ino, path) : path;
}

/**
 * The first existing host file that extracting `start` into `directory` would replace, undefined
 * when there is none. Looks only, so that a refusal leaves nothing half done.
 */
export function firstConflict(
  session: Session,
  start: number,
  directory: string | Buffer,
): Buffer | undefined {
  const skipBelow: Buffer[] = [];
  const base = Buffer.from(directory as string);
  if (fs.lstatSync(base, { throwIfNoEntry: false }) === undefined) return undefined;
  if (fs.readdirSync(base).length === 0) return undefined;
  for (const node of session.walk(start, base)) {
    const pruned = skipBelow.at(-1);
    if (pruned !== undefined && node.path.subarray(0, pruned.length).equals(pruned)) continue;
    if (!isSafeName(node.name)) continue;
    const there = fs.lstatSync(node.path, { throwIfNoEntry: false });
    if (there === undefined) {
      if (node.type === 4) skipBelow.push(Buffer.concat([node.path, Buffer.from('/')]));
      continue;
    }
    if (!there.isDirectory() || node.type !== 4) return node.path;
  }
  return undefined;
}

/** True for a name that stays inside its directory. */
function isSafeName(name: Buffer): boolean {
  const text = name.toString('latin1');
  return (
    text !== '' &&
    text !== '.' &&
    text !== '..' &&
    !text.includes('/') &&
    !text.includes('\0') &&
    (path.sep === '/' || !text.includes(path.sep))
  );
}

/**
 * A time for Node's utimes: seconds as a decimal text, which keeps times before 1970 (numbers below
 * zero become the present). libuv cuts the binary fraction off towards zero, so a quarter of a
 * microsecond away from zero keeps every whole microsecond exact.
 */
function hostTime(time: Timestamp): string {
  const micro = Math.floor(time.nanoseconds / 1000);
  const guard = time.seconds < 0 ? -0.25 : 0.25;
  return String(time.seconds + (micro + guard) / 1e6);
}

/** A seek that finds nothing more says ENXIO: the end of the file. */
function seekOrEnd(seek: () => number, size: number): number {
  try {
    return seek();
  } catch (error) {
    if (fieldsOf(error).code === 'ENXIO') return size;
    throw error;
  }
}
