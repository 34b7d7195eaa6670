/**
 * Builds a map from a source tree: walk, order by importance, compress in workers, import in order.
 *
 * The main thread owns the map and does nothing but hand over what the workers made. Directories
 * come first (in walk order, so that parents exist), then files from the most to the least
 * important, then hard links, special nodes and the times of directories, which every entry made
 * in them had changed.
 */
import { availableParallelism } from 'node:os';

import { wasmModule } from 'aetherflow-wasm';

import { EXIT } from '../exit-codes.js';
import { Failure } from '../failure.js';
import { isDirectory, type Session } from '../session.js';
import { claimsBuffer } from './claims.js';
import { type Batch, Pool } from './pool.js';
import {
  type BatchAnswer,
  EXTENT_FIELDS,
  FRAME_FIELDS,
  FRAME_FILL,
  FRAME_INLINE,
  INLINE_BYTES,
  UNIT_BYTES,
  type UnitOrder,
  type UnitRemark,
} from './protocol.js';
import {
  type HostName,
  type SourceFile,
  type SourceTree,
  type SourceTrouble,
  timestampOf,
} from './walker.js';
import type { AttributesToCome } from './sources.js';
import type { HostAttributes } from './xattrs.js';

export interface ImportOptions {
  readonly compression: 'off' | 'zone' | 'all';
  /** zstd level 1..19 */
  readonly level: number;
  /** Worker threads; 0 = one per available core. */
  readonly jobs: number;
  /** Leave unreadable files out instead of failing. */
  readonly keepGoing: boolean;
  /** What happens to files that are there already: refused, or replaced. Directories merge. */
  readonly existing: 'refuse' | 'replace';
  /** Path of the target directory in the map: rules of importance go by whole paths. */
  readonly base: Buffer;
  readonly progress: (doneBytes: number, totalBytes: number) => void;
}

export interface ImportReport {
  files: number;
  directories: number;
  symlinks: number;
  others: number;
  hardLinks: number;
  /** Sum of the sizes of the imported files, in bytes. */
  bytes: number;
  /** Bytes that were there already, as another file or piece of one. */
  sharedBytes: number;
  attributes: number;
}

/** Files in one batch at most. */
const BATCH_FILES = 256;
/** Bytes in one batch, roughly. */
const BATCH_BYTES = UNIT_BYTES;
/**
 * Stored bytes and files that are gathered before files are imported: the engine places the frames
 * of that much together, so that each band of the picture is written about once.
 */
const GATHER_BYTES = 8 << 20;
const GATHER_FILES = 8192;
/** Extents of one import call: 20 bytes each in the scratch buffer. */
const IMPORT_EXTENTS = 50_000;
const IMPORT_RECORD = 20;
const FILL_MARK = 0xffffffff;
const INLINE_MARK = 0xfffffffe;
/**
 * Files at least this important belong in the hot or warm zone (closer than E/8, where importance
 * 255 is the centre and 0 is E/2) and stay uncompressed under the policy `zone`, as in the engine.
 */
const WARM_IMPORTANCE = 192;

/** A file on its way into the map. */
interface Job {
  readonly file: SourceFile;
  readonly firstUnit: number;
  readonly unitCount: number;
  missing: number;
  failed: boolean;
}

/** A file whose frames the engine has, waiting for its turn. */
interface Ready {
  readonly file: SourceFile;
  readonly extents: readonly number[];
  readonly inline: Buffer | undefined;
}

/** A unit whose twin is still on its way. */
interface Waiter {
  readonly unit: number;
  readonly job: Job;
}

/** Imports `tree` below the directory `target` of an open map. */
export async function importTree(
  session: Session,
  target: number,
  tree: SourceTree,
  attributes: AttributesToCome,
  options: ImportOptions,
): Promise<{ report: ImportReport; troubles: SourceTrouble[] }> {
  const importer = new Importer(session, target, tree, options);
  await importer.run();
  importer.finish(await attributes);
  return { report: importer.report, troubles: importer.troubles };
}

class Importer {
  readonly report: ImportReport = {
    files: 0,
    directories: 0,
    symlinks: 0,
    others: 0,
    hardLinks: 0,
    bytes: 0,
    sharedBytes: 0,
    attributes: 0,
  };
  readonly troubles: SourceTrouble[] = [];
  readonly #session: Session;
  readonly #tree: SourceTree;
  readonly #options: ImportOptions;
  readonly #jobs: Job[] = [];
  readonly #unitJobs: Job[] = [];
  /** Extents with frame numbers of the map, per unit, as long as somebody may need them. */
  readonly #extents = new Map<number, readonly number[]>();
  readonly #candidates = new Set<number>();
  readonly #waiters = new Map<number, Waiter[]>();
  /** Inline bytes of files that have not been imported yet, per unit. */
  readonly #inline = new Map<number, Buffer>();
  /** The target directory was empty: nothing can be in the way. */
  readonly #targetIsNew: boolean;
  #ready: Ready[] = [];
  /** Stored bytes since files were imported last. */
  #gathered = 0;
  #bytesDone = 0;
  #parts = 0;

  constructor(session: Session, target: number, tree: SourceTree, options: ImportOptions) {
    this.#session = session;
    this.#tree = tree;
    this.#options = options;
    this.#targetIsNew = session.gate.entries(target).length === 0;
    tree.root.ino = target;
  }

  async run(): Promise<void> {
    const { raw } = this.#session;
    const batches = this.#plan();
    const workers = this.#workerCount(batches.length);
    const pool =
      workers === 0
        ? undefined
        : new Pool(workers, {
            module: wasmModule,
            level: this.#options.level,
            claims: claimsBuffer(this.#candidates.size),
          });
    try {
      raw.importBegin();
      this.#makeDirectories();
      this.#importEmpty();
      await pool?.run(batches[Symbol.iterator](), (answer, batch, stored) => {
        this.#take(answer, batch, stored);
      });
      this.#importReady();
      raw.importEnd();
    } catch (error) {
      // The frames' own references go in any case; the first failure is the one to tell.
      try {
        raw.importEnd();
      } catch {
        // The map refuses: it is let go of by the caller.
      }
      throw error;
    } finally {
      await pool?.end();
    }
  }

  #workerCount(batches: number): number {
    const wanted = this.#options.jobs === 0 ? availableParallelism() : this.#options.jobs;
    return Math.min(wanted, batches);
  }

  /** Orders the files by importance and cuts them into batches. */
  #plan(): Batch[] {
    const { gate, raw } = this.#session;
    const byImportance: SourceFile[][] = Array.from({ length: 256 }, () => []);
    const lengths = new Map<number, number>();
    for (const file of this.#tree.files) {
      if (file.size === 0) continue;
      const importance = raw.importanceOfPath(gate.put(this.#wholePath(file.mapPath)));
      byImportance[Math.min(255, Math.max(0, importance))]?.push(file);
      for (let offset = 0; offset < file.size; offset += UNIT_BYTES) {
        const length = Math.min(UNIT_BYTES, file.size - offset);
        if (length > INLINE_BYTES) lengths.set(length, (lengths.get(length) ?? 0) + 1);
      }
    }
    const batches: Batch[] = [];
    for (let importance = 255; importance >= 0; importance -= 1) {
      let units: UnitOrder[] = [];
      let paths: HostName[] = [];
      let bytes = 0;
      const compress = this.#compresses(importance);
      const cut = (): void => {
        if (units.length > 0) batches.push({ compress, importance, units, paths });
        units = [];
        paths = [];
        bytes = 0;
      };
      for (const file of byImportance[importance] ?? []) {
        const unitCount = Math.ceil(file.size / UNIT_BYTES);
        const job: Job = {
          file,
          firstUnit: this.#unitJobs.length,
          unitCount,
          missing: unitCount,
          failed: false,
        };
        this.#jobs.push(job);
        for (let offset = 0; offset < file.size; offset += UNIT_BYTES) {
          const length = Math.min(UNIT_BYTES, file.size - offset);
          const unit = this.#unitJobs.length;
          const candidate = (lengths.get(length) ?? 0) > 1;
          if (candidate) this.#candidates.add(unit);
          if (bytes + length > BATCH_BYTES || units.length >= BATCH_FILES) cut();
          this.#unitJobs.push(job);
          paths.push(file.hostPath);
          units.push({
            unit,
            offset,
            length,
            size: file.size,
            candidate,
            sparse: file.sparse,
          });
          bytes += length;
        }
      }
      cut();
    }
    return batches;
  }

  /** The path in the map of a path inside the source. */
  #wholePath(path: HostName): HostName {
    const { base } = this.#options;
    return base.length <= 1 ? path : Buffer.concat([base, bytesOf(path)]);
  }

  #compresses(importance: number): boolean {
    switch (this.#options.compression) {
      case 'off':
        return false;
      case 'all':
        return true;
      case 'zone':
        return importance < WARM_IMPORTANCE;
    }
  }

  #makeDirectories(): void {
    const session = this.#session;
    for (const directory of this.#tree.directories) {
      const parent = directory.parent?.ino ?? session.root;
      const { mode, uid, gid } = directory;
      const name = bytesOf(directory.name);
      const there = this.#targetIsNew ? 0 : session.gate.lookup(parent, name);
      if (there === 0) {
        directory.ino = session.mkdir(parent, name, mode & 0o7777, uid, gid);
      } else if (isDirectory(session.stat(there).mode)) {
        directory.ino = there;
      } else {
        throw this.#exists(directory.mapPath);
      }
      this.report.directories += 1;
    }
  }

  /** Makes sure that nothing is in the way of a new entry that is not a directory. */
  #clear(parent: number, name: Buffer, mapPath: HostName): void {
    if (this.#targetIsNew) return;
    const session = this.#session;
    const there = session.gate.lookup(parent, name);
    if (there === 0) return;
    if (this.#options.existing === 'refuse' || isDirectory(session.stat(there).mode)) {
      throw this.#exists(mapPath);
    }
    session.unlink(parent, name);
  }

  #exists(mapPath: HostName): Failure {
    return new Failure(
      EXIT.exists,
      'cannot write',
      this.#session.where(this.#wholePath(mapPath)),
      'it exists already',
      'remove it first, or choose another name',
      { reason: 'exists', code: 'EEXIST' },
    );
  }

  /** Files without bytes need no worker. */
  #importEmpty(): void {
    for (const file of this.#tree.files) {
      if (file.size === 0) this.#importFile(file, [], undefined);
    }
  }

  #take(answer: BatchAnswer, batch: Batch, stored: Buffer): void {
    const { gate, raw } = this.#session;
    const { frames, extents, counts } = answer;
    const numbers: number[] = [];
    for (let at = 0; at < frames.length; at += FRAME_FIELDS) {
      const start = frames[at] ?? 0;
      const length = frames[at + 1] ?? 0;
      const logical = frames[at + 2] ?? 0;
      gate.scratch.set(stored.subarray(start, start + length), 0);
      this.#gathered += length;
      numbers.push(raw.importFrame(length, Math.abs(logical), logical > 0, batch.importance));
    }
    const remarks = new Map(answer.remarks.map((remark) => [remark.index, remark]));
    let next = 0;
    for (const [index, order] of batch.units.entries()) {
      const job = this.#unitJobs[order.unit];
      const count = counts[index] ?? 0;
      const own = Array.from(extents.subarray(next, next + Math.max(0, count) * EXTENT_FIELDS));
      next += own.length;
      this.#bytesDone += order.length;
      if (job === undefined || !this.#heed(job, remarks.get(index))) continue;
      if (count < 0) this.#takeTwin(order, job, -1 - count);
      else this.#takeExtents(order.unit, job, own, numbers, stored);
    }
    if (this.#gathered >= GATHER_BYTES || this.#ready.length >= GATHER_FILES) this.#importReady();
    this.#options.progress(this.#bytesDone, this.#tree.bytes);
  }

  #importReady(): void {
    const files = this.#ready;
    this.#ready = [];
    this.#gathered = 0;
    for (const { file, extents, inline } of files) this.#importFile(file, extents, inline);
  }

  /** Minds what was out of the ordinary; false where the unit could not be read. */
  #heed(job: Job, remark: UnitRemark | undefined): boolean {
    if (remark?.failure !== undefined) {
      this.#fail(job, Object.assign(new Error(remark.failure.message), remark.failure));
      return false;
    }
    if (remark?.changed !== undefined) {
      job.file.size = remark.changed.size;
      job.file.mtime = timestampOf(remark.changed.mtimeNs);
    }
    return true;
  }

  /** Puts the map's frame numbers into a unit's extents. */
  #takeExtents(
    unit: number,
    job: Job,
    extents: number[],
    numbers: readonly number[],
    stored: Buffer,
  ): void {
    for (let at = 0; at < extents.length; at += EXTENT_FIELDS) {
      const frame = extents[at + 2] ?? 0;
      if (frame >= 0) {
        extents[at + 2] = numbers[frame] ?? 0;
      } else if (frame === FRAME_INLINE) {
        const start = extents[at + 3] ?? 0;
        const inline = stored.subarray(start, start + (extents[at + 1] ?? 0));
        this.#inline.set(unit, Buffer.from(inline));
      }
    }
    this.#resolve(unit, job, extents);
    const waiters = this.#waiters.get(unit);
    if (waiters === undefined) return;
    this.#waiters.delete(unit);
    for (const waiter of waiters) this.#share(waiter.unit, waiter.job, unit);
  }

  #takeTwin(order: UnitOrder, job: Job, twin: number): void {
    this.report.sharedBytes += order.length;
    if (this.#extents.has(twin)) {
      this.#share(order.unit, job, twin);
      return;
    }
    const waiters = this.#waiters.get(twin);
    const waiter: Waiter = { unit: order.unit, job };
    if (waiters === undefined) this.#waiters.set(twin, [waiter]);
    else waiters.push(waiter);
  }

  /** Gives `unit` the extents of `twin`, moved to where the unit lies in its own file. */
  #share(unit: number, job: Job, twin: number): void {
    const source = this.#unitJobs[twin];
    const from = source === undefined ? 0 : (twin - source.firstUnit) * UNIT_BYTES;
    const move = (unit - job.firstUnit) * UNIT_BYTES - from;
    const extents = [...(this.#extents.get(twin) ?? [])];
    for (let at = 0; at < extents.length; at += EXTENT_FIELDS) {
      extents[at] = (extents[at] ?? 0) + move;
    }
    this.#resolve(unit, job, extents);
  }

  #resolve(unit: number, job: Job, extents: readonly number[]): void {
    this.#extents.set(unit, extents);
    job.missing -= 1;
    if (job.missing > 0) return;
    const inline = this.#inline.get(job.firstUnit);
    this.#inline.delete(job.firstUnit);
    const all: number[] = [];
    for (let index = job.firstUnit; index < job.firstUnit + job.unitCount; index += 1) {
      for (const value of this.#extents.get(index) ?? []) all.push(value);
      // A content that somebody may still name as its twin is kept.
      if (!this.#candidates.has(index)) this.#extents.delete(index);
    }
    if (!job.failed) this.#ready.push({ file: job.file, extents: all, inline });
  }

  #fail(job: Job, error: NodeJS.ErrnoException): void {
    if (!job.failed) this.troubles.push({ path: job.file.hostPath, error });
    job.failed = true;
    // Without --keep-going nothing is written, so nothing more needs to be read either.
    if (!this.#options.keepGoing) throw new SourceFailure({ path: job.file.hostPath, error });
  }

  #importFile(file: SourceFile, extents: readonly number[], inline: Buffer | undefined): void {
    const parent = file.parent?.ino ?? this.#session.root;
    this.#clear(parent, bytesOf(file.name), file.mapPath);
    const count = extents.length / EXTENT_FIELDS;
    if (count <= IMPORT_EXTENTS) {
      file.ino = this.#importPart(parent, bytesOf(file.name), file, file.size, extents, inline);
    } else {
      file.ino = this.#importLong(parent, file, extents);
    }
    this.report.files += 1;
    this.report.bytes += file.size;
  }

  #importPart(
    parent: number,
    name: Uint8Array,
    file: SourceFile,
    size: number,
    extents: readonly number[],
    inline: Buffer | undefined,
  ): number {
    const { gate, raw } = this.#session;
    const nameLength = gate.put(name);
    const view = gate.view;
    let at = nameLength;
    for (let index = 0; index < extents.length; index += EXTENT_FIELDS) {
      const frame = extents[index + 2] ?? 0;
      view.setFloat64(at, extents[index] ?? 0, true);
      view.setUint32(at + 8, extents[index + 1] ?? 0, true);
      view.setUint32(at + 12, frameMark(frame), true);
      view.setUint32(at + 16, frame === FRAME_INLINE ? 0 : (extents[index + 3] ?? 0), true);
      at += IMPORT_RECORD;
    }
    if (inline !== undefined) {
      gate.scratch.set(inline, at);
      at += inline.length;
    }
    return raw.importFile(
      parent,
      nameLength,
      at - nameLength,
      file.mode & 0o7777,
      file.uid,
      file.gid,
      size,
      file.mtime.seconds,
      file.mtime.nanoseconds,
      file.atime.seconds,
      file.atime.nanoseconds,
    );
  }

  /**
   * A file with more extents than one call takes: the first part is the file; further parts are
   * imported under a passing name, their bytes cloned into place (no data moves) and unlinked.
   */
  #importLong(parent: number, file: SourceFile, extents: readonly number[]): number {
    const session = this.#session;
    const step = IMPORT_EXTENTS * EXTENT_FIELDS;
    const ino = this.#importPart(
      parent,
      bytesOf(file.name),
      file,
      file.size,
      extents.slice(0, step),
      undefined,
    );
    for (let from = step; from < extents.length; from += step) {
      const part = extents.slice(from, from + step);
      const base = part[0] ?? 0;
      const last = part.length - EXTENT_FIELDS;
      const length = (part[last] ?? 0) + (part[last + 1] ?? 0) - base;
      for (let at = 0; at < part.length; at += EXTENT_FIELDS) part[at] = (part[at] ?? 0) - base;
      this.#parts += 1;
      const name = Buffer.from(`.aetherflow-part-${String(this.#parts)}`);
      const passing = this.#importPart(session.root, name, file, length, part, undefined);
      session.raw.cloneRange(passing, 0, ino, base, length);
      session.unlink(session.root, name);
    }
    session.setTimes(ino, file.atime, file.mtime);
    return ino;
  }

  /** Special nodes, hard links, attributes and the times of directories. */
  finish(attributes: ReadonlyMap<string, HostAttributes> | undefined): void {
    const session = this.#session;
    for (const special of this.#tree.specials) {
      const parent = special.parent?.ino ?? session.root;
      const name = bytesOf(special.name);
      const { mode, uid, gid, rdev } = special;
      this.#clear(parent, name, special.mapPath);
      if (special.target === undefined) {
        special.ino = session.mknod(parent, name, mode, uid, gid, rdev);
        this.report.others += 1;
      } else {
        special.ino = session.symlink(parent, name, special.target, uid, gid);
        this.report.symlinks += 1;
      }
      session.setTimes(special.ino, special.atime, special.mtime);
    }
    for (const link of this.#tree.links) {
      if (link.first.ino === 0) {
        // The first name could not be read, so neither can this one.
        this.troubles.push({
          path: link.hostPath,
          error: Object.assign(new Error('its other name could not be read'), { code: 'EIO' }),
        });
        continue;
      }
      const parent = link.parent?.ino ?? session.root;
      this.#clear(parent, bytesOf(link.name), link.mapPath);
      session.link(link.first.ino, parent, bytesOf(link.name));
      this.report.hardLinks += 1;
    }
    if (attributes !== undefined) this.#setAttributes(attributes);
    const directories = [this.#tree.root, ...this.#tree.directories];
    for (const directory of directories) {
      session.setTimes(directory.ino, directory.atime, directory.mtime);
    }
  }

  #setAttributes(attributes: ReadonlyMap<string, HostAttributes>): void {
    if (attributes.size === 0) return;
    const set = (path: HostName, ino: number): void => {
      const found = attributes.get(Buffer.from(path as string).toString('latin1'));
      if (found === undefined || ino === 0) return;
      for (const { name, value } of found.attributes) {
        this.#session.setAttribute(ino, name, value);
        this.report.attributes += 1;
      }
    };
    const { root, directories, files, specials } = this.#tree;
    for (const node of [root, ...directories, ...files, ...specials]) set(node.mapPath, node.ino);
  }
}

/** A source file that cannot be read, where nothing may be left out. */
export class SourceFailure extends Error {
  readonly trouble: SourceTrouble;

  constructor(trouble: SourceTrouble) {
    super(trouble.error.message);
    this.trouble = trouble;
  }
}

function frameMark(frame: number): number {
  if (frame === FRAME_FILL) return FILL_MARK;
  return frame === FRAME_INLINE ? INLINE_MARK : frame;
}

function bytesOf(name: HostName): Buffer {
  return typeof name === 'string' ? Buffer.from(name, 'utf8') : name;
}
