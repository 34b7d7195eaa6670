/**
 * `Map`: one filesystem in a PNG, in memory or in a file.
 *
 * All methods are synchronous because the engine is. A method that touches the filesystem throws
 * `AetherFlowError` with Node's `code`; after `close()` every call throws EBADF (reason
 * 'closed'). Paths are absolute or relative to "/"; sizes, lengths and offsets are bytes.
 */

import * as nodeFs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openBacking, type Backing, type BackingOptions } from './backing.js';
import type {
  CompressReport,
  EngineOptions,
  Extent,
  MapInfo,
  MapSettings,
  MapStats,
  Progress,
  RawMap as Raw,
  RenderLayer,
  RenderOptions,
  SpaceInfo,
  VerifyReport,
  Zone,
  ZoneInfo,
} from './contract.js';
import { fail, invalidArgument, outOfRange } from './errors.js';
import { Attributes } from './attributes.js';
import { makeFs, type MapFs } from './fs/index.js';
import { Volume } from './fs/volume.js';
import { Gate } from './gate.js';
import { Snapshots } from './snapshots.js';
import { walk, type WalkEntry } from './walk.js';
import { RawMap } from './wasm.js';

type Path = nodeFs.PathLike;
type Guard = <A extends unknown[], R>(callback: (...args: A) => R) => (...args: A) => R;

/** How a map is made or opened. */
export interface MapOptions extends EngineOptions {
  /** Owner of new files. Default: the process's user, 0 where there is none. */
  uid?: number;
  /** Group of new files. Default: the process's group, 0 where there is none. */
  gid?: number;
  /** Mode bits that new files do not get. Default 0o022. */
  umask?: number;
}

/** How a map file is made or opened. */
export interface FileMapOptions extends MapOptions, BackingOptions {
  /**
   * Milliseconds between automatic `sync()` calls, so that a crash loses no more than that.
   * Default 5000; 0 turns it off.
   */
  syncInterval?: number;
}

/** Options of long operations. */
export interface ProgressOptions {
  /** Called now and then; return `false` to stop (ECANCELED). It must not use the map (EBUSY). */
  onProgress?: Progress | undefined;
}

const DEFAULT_SYNC_INTERVAL = 5000;

/** File maps that are open, so that a process that ends without closing them leaves them whole. */
const openFileMaps = new Set<InfiniteMap>();

function closeAtExit(): void {
  for (const map of openFileMaps) {
    try {
      map.close();
    } catch {
      // The log beside the map still holds all that was synced; the next open recovers it.
    }
  }
}

/** Only what the engine knows: it refuses options of others. */
function engineOptions(options: MapOptions): EngineOptions {
  const keys = [
    'width',
    'expectedSize',
    'cacheBytes',
    'compression',
    'level',
    'parity',
    'label',
    'readOnly',
    'rules',
    'now',
    'uuid',
  ] as const;
  return Object.fromEntries(
    keys.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]),
  );
}

/** A filesystem in a PNG. Make one with `Map.create`, `Map.open` or `openMap`. */
export class InfiniteMap implements Disposable, AsyncDisposable {
  /** The calls of `node:fs` on this map, with `fs.promises`. */
  readonly fs: MapFs;
  /** Snapshots of this map. */
  readonly snapshot: Snapshots<InfiniteMap>;
  /** Extended attributes, exact times, special files, importance: what `node:fs` has no call for. */
  readonly attributes: Attributes;
  /** Absolute path of the map file; undefined for a map in memory. */
  readonly path: string | undefined;
  /** @internal The border to the engine, for the bulk loader. */
  readonly gate: Gate;
  readonly #volume: Volume;
  readonly #backing: Backing | undefined;
  readonly #options: MapOptions;
  #timer: NodeJS.Timeout | undefined;

  /** @internal Use the static functions. */
  constructor(raw: Raw, options: MapOptions, backing?: Backing, syncInterval = 0) {
    this.gate = new Gate(raw);
    this.#options = options;
    this.#backing = backing;
    this.path = backing?.path;
    this.#volume = new Volume(this.gate, {
      uid: options.uid ?? process.getuid?.() ?? 0,
      gid: options.gid ?? process.getgid?.() ?? 0,
      umask: options.umask ?? 0o022,
    });
    this.fs = makeFs(this.#volume);
    this.attributes = new Attributes(this.#volume);
    this.snapshot = new Snapshots(this.#volume, (view) => new InfiniteMap(view, this.#options));
    if (backing !== undefined && !this.gate.readOnly) this.#guard(syncInterval);
  }

  /** Makes sure that what was written gets into the file by itself. */
  #guard(syncInterval: number): void {
    if (openFileMaps.size === 0) process.on('exit', closeAtExit);
    openFileMaps.add(this);
    if (syncInterval <= 0) return;
    this.#timer = setInterval(() => {
      try {
        this.gate.raw.sync();
      } catch {
        // The engine refuses every further write and says so to the next caller.
        clearInterval(this.#timer);
      }
    }, syncInterval);
    this.#timer.unref();
  }

  #run<T>(syscall: string, path: unknown, action: (raw: Raw) => T): T {
    return this.#volume.run(syscall, path, () => action(this.gate.raw));
  }

  /** As `#run`, for operations that call back: what a guarded callback throws comes out as it is. */
  #runLong<T>(syscall: string, path: unknown, action: (raw: Raw, guard: Guard) => T): T {
    let thrown: { error: unknown } | undefined;
    const guard: Guard =
      (callback) =>
      (...args) => {
        try {
          return callback(...args);
        } catch (error) {
          thrown = { error };
          throw error;
        }
      };
    try {
      return this.#volume.run(syscall, path, () =>
        this.gate.exclusively((raw) => action(raw, guard)),
      );
    } catch (error) {
      throw thrown === undefined ? error : thrown.error;
    }
  }

  // ---- making and opening

  /**
   * A new, empty map in memory.
   * @throws EINVAL for a width that is no power of two in 256..8192 and for other bad options
   */
  static create(options: MapOptions = {}): InfiniteMap {
    try {
      return new InfiniteMap(RawMap.create(engineOptions(options)), options);
    } catch (error) {
      throw fail(error, 'create');
    }
  }

  /**
   * Opens the bytes of a map file (live, packed, or re-saved by a lossless PNG tool) in memory.
   * The bytes are copied; `toPng()` gives the changed map.
   * @throws EINVAL with reason 'not-a-map', 'truncated', 'resized', 'version' or 'feature'
   * @throws EIO with reason 'corrupt' and the cluster, for damage
   */
  static open(bytes: Uint8Array, options: MapOptions = {}): InfiniteMap {
    if (!(bytes instanceof Uint8Array)) {
      throw invalidArgument('bytes', 'an instance of Uint8Array', bytes);
    }
    try {
      return new InfiniteMap(RawMap.open(bytes, engineOptions(options)), options);
    } catch (error) {
      throw fail(error, 'open');
    }
  }

  /** The same as {@link openMap}. */
  static openFile(path: string | URL, options: FileMapOptions = {}): InfiniteMap {
    return openMap(path, options);
  }

  get readOnly(): boolean {
    return this.gate.readOnly;
  }

  get closed(): boolean {
    return this.gate.closed;
  }

  // ---- the map as a whole

  /**
   * The map as the bytes of a valid PNG (live form). A file map is brought up to date first.
   * @throws EIO for damage or a failing disk
   */
  toPng(): Uint8Array {
    if (this.path === undefined) return this.#run('toPng', undefined, (raw) => raw.toPng());
    const { path } = this;
    return this.#run('toPng', path, (raw) => {
      if (!this.readOnly) raw.checkpoint();
      return nodeFs.readFileSync(path);
    });
  }

  /**
   * Makes everything written so far durable.
   * @throws ENOSPC, EIO; after that every write is refused (reason 'poisoned') until reopened
   */
  sync(): void {
    this.#run('fsync', this.path, (raw) => {
      raw.sync();
    });
  }

  /** `sync()`, and makes the file a strictly valid PNG: for viewers while the map stays open. */
  checkpoint(): void {
    this.#run('fsync', this.path, (raw) => {
      raw.checkpoint();
    });
  }

  /**
   * Writes everything, makes the file a strictly valid PNG and lets go of it. Closing twice is
   * fine. When it throws, the map is closed all the same and the next open recovers what was synced.
   * @throws ENOSPC, EIO
   */
  close(): void {
    this.#end(() => {
      try {
        this.#run('close', this.path, (raw) => {
          this.#volume.closeAll();
          // Nobody sees the picture of a map in memory once it is closed.
          if (this.#backing !== undefined && !this.readOnly) raw.close();
        });
        return true;
      } finally {
        this.gate.release();
      }
    });
  }

  /** Lets go without writing anything: what was not synced is lost. */
  abandon(): void {
    this.#end(() => {
      this.gate.abandon();
      return false;
    });
  }

  /** Runs `finish`, which frees the engine and says whether all was written, and frees the rest. */
  #end(finish: () => boolean): void {
    if (this.closed) return;
    clearInterval(this.#timer);
    openFileMaps.delete(this);
    if (openFileMaps.size === 0) process.off('exit', closeAtExit);
    let clean = false;
    try {
      clean = finish();
    } finally {
      this.#backing?.release(clean);
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((resolve) => {
      this.close();
      resolve();
    });
  }

  /** What the map is: form, picture size, settings, counts. Sizes in bytes, times in ms. */
  info(): MapInfo {
    return this.#run('info', this.path, (raw) => raw.info());
  }

  /** Counters of this session: cache, log, allocations. */
  stats(): MapStats {
    return this.#run('stats', this.path, (raw) => raw.stats());
  }

  /** Space in blocks of `blockSize` bytes. */
  statfs(): SpaceInfo {
    return this.#run('statfs', this.path, (raw) => raw.statfs());
  }

  /** The zones from the centre outward; radii in pixels, capacity in clusters of 4096 bytes. */
  zones(): ZoneInfo[] {
    return this.#run('zones', this.path, (raw) => raw.zones());
  }

  /** What is stored in the map about itself: compression, level, parity, rules, label. */
  settings(): MapSettings {
    return this.#run('settings', this.path, (raw) => raw.settings());
  }

  /**
   * Changes any part of the settings; they are stored in the map and hold for later writes.
   * @throws EINVAL for unknown or impossible values, EROFS
   */
  configure(settings: Partial<MapSettings>): void {
    this.#run('configure', this.path, (raw) => {
      raw.configure(settings);
    });
  }

  /**
   * Checks every structure and checksum; `deep` also decodes all compressed data twice, with two
   * decoders. Damage is reported, not thrown.
   * @throws ECANCELED when `onProgress` returned false
   */
  verify(options: { deep?: boolean } & ProgressOptions = {}): VerifyReport {
    const { deep = false, onProgress } = options;
    return this.#runLong('verify', this.path, (raw, guard) =>
      raw.verify({ deep }, onProgress && guard(onProgress)),
    );
  }

  /**
   * Compresses files that are not compressed yet, or everything with `all`.
   * @param options `path`: only below it; `level`: zstd level 1..19
   * @throws ENOENT, EROFS, ECANCELED
   */
  compress(
    options: { path?: string; level?: number; all?: boolean } & ProgressOptions = {},
  ): CompressReport {
    const { onProgress, ...rest } = options;
    return this.#runLong('compress', options.path, (raw, guard) =>
      raw.compress(rest, onProgress && guard(onProgress)),
    );
  }

  /**
   * A picture of the map (PNG bytes).
   * @param layer raw bytes, zones, one colour per file, kinds of clusters, or heat
   * @param options `size`: pixels of the longer side
   */
  render(layer: RenderLayer, options: RenderOptions = {}): Uint8Array {
    return this.#run('render', this.path, (raw) => raw.render(layer, options));
  }

  /**
   * Writes the packed form, for sharing, piece by piece in file order. A piece lies in engine
   * memory and is valid during its call only; `write` must not use the map (EBUSY).
   * @throws what `write` throws, ECANCELED, EIO
   */
  packTo(
    write: (piece: Uint8Array) => void,
    options: { parity?: boolean } & ProgressOptions = {},
  ): void {
    const { onProgress, ...rest } = options;
    this.#runLong('pack', this.path, (raw, guard) => {
      raw.pack(guard(write), rest, onProgress && guard(onProgress));
    });
  }

  /** The packed form as bytes; see {@link packTo} for maps too large for that. */
  pack(options: { parity?: boolean } & ProgressOptions = {}): Buffer {
    const pieces: Buffer[] = [];
    this.packTo((piece) => {
      pieces.push(Buffer.from(piece));
    }, options);
    return Buffer.concat(pieces);
  }

  // ---- files

  /** All of a file: bytes, or text in `encoding`. @throws ENOENT, EISDIR, EIO */
  readFile(path: Path | number): Buffer;
  readFile(path: Path | number, encoding: BufferEncoding): string;
  readFile(path: Path | number, encoding?: BufferEncoding): Buffer | string {
    return this.fs.readFileSync(path, encoding);
  }

  /** Writes a whole file, made when missing. @throws ENOENT for a missing directory, EROFS, ENOSPC */
  writeFile(
    path: Path | number,
    data: string | NodeJS.ArrayBufferView,
    options?: nodeFs.WriteFileOptions,
  ): void {
    this.fs.writeFileSync(path, data, options);
  }

  /**
   * Reads from `position` into all of `target`.
   * @returns bytes read; fewer than asked only at the end of the file
   */
  readAt(path: Path, target: Uint8Array, position: number): number {
    const ino = this.attributes.resolve(path, 'read');
    checkOffset(position);
    return this.#run('read', path, () => this.gate.read(ino, target, 0, target.length, position));
  }

  /** Writes all of `source` at `position` of an existing file; a gap before it reads as zeros. */
  writeAt(path: Path, source: Uint8Array, position: number): number {
    const ino = this.attributes.resolve(path, 'write');
    checkOffset(position);
    return this.#run('write', path, () => this.gate.write(ino, source, position));
  }

  /**
   * Writes a whole file at the distance from the centre that `importance` asks for.
   * @param options `importance` 0 (coldest) to 255 (hottest); it stays with the file
   */
  placeFile(
    path: Path,
    data: string | NodeJS.ArrayBufferView,
    options: { importance: number; mode?: number },
  ): void {
    const { importance, mode } = options;
    this.fs.writeFileSync(path, '', mode === undefined ? {} : { mode });
    this.attributes.setImportance(path, importance);
    this.fs.writeFileSync(path, data, { flag: 'r+' });
  }

  /** The pieces of a file in file order: kind, cluster, pixel position, distance, zone. */
  locate(path: Path): Extent[] {
    const ino = this.attributes.resolve(path, 'locate');
    const list: Extent[] = [];
    return this.#run('locate', path, (raw) => {
      for (let from = 0; ;) {
        const part = raw.extents(ino, from, EXTENT_PAGE);
        list.push(...part);
        const last = part.at(-1);
        if (last === undefined || part.length < EXTENT_PAGE) return list;
        from = last.offset + last.length;
      }
    });
  }

  /** The zone that holds most of a file; undefined when it has no cluster of its own. */
  zoneOf(path: Path): Zone | undefined {
    const sizes = new globalThis.Map<Zone, number>();
    for (const { zone, length } of this.locate(path)) {
      if (zone !== undefined) sizes.set(zone, (sizes.get(zone) ?? 0) + length);
    }
    return [...sizes].sort((a, b) => b[1] - a[1])[0]?.[0];
  }

  /**
   * Reserves space for a range, so that later writes to it cannot fail for lack of it.
   * @param options `keepSize`: do not make the file longer
   */
  fallocate(path: Path, offset: number, length: number, options?: { keepSize?: boolean }): void {
    this.#fallocate(path, options?.keepSize === true ? FALLOC.keepSize : 0, offset, length);
  }

  /** Gives the space of a range back; it reads as zeros and the size stays. */
  punchHole(path: Path, offset: number, length: number): void {
    this.#fallocate(path, FALLOC.keepSize | FALLOC.punchHole, offset, length);
  }

  #fallocate(path: Path, mode: number, offset: number, length: number): void {
    const ino = this.attributes.resolve(path, 'fallocate');
    checkOffset(offset);
    checkOffset(length, 'length');
    this.#run('fallocate', path, (raw) => {
      raw.fallocate(ino, mode, offset, length);
    });
  }

  /** Copies a file by sharing its data: takes no space until one of the two changes. */
  clone(source: Path, destination: Path): void {
    this.fs.copyFileSync(source, destination, nodeFs.constants.COPYFILE_FICLONE_FORCE);
  }

  /** The next offset at or after `offset` that holds data. @throws ENXIO when none follows */
  seekData(path: Path, offset: number): number {
    return this.#seek(path, offset, SEEK_DATA);
  }

  /** The next offset at or after `offset` in a hole, or the end. @throws ENXIO past the end */
  seekHole(path: Path, offset: number): number {
    return this.#seek(path, offset, SEEK_HOLE);
  }

  #seek(path: Path, offset: number, what: 3 | 4): number {
    const ino = this.attributes.resolve(path, 'lseek');
    checkOffset(offset);
    return this.#run('lseek', path, (raw) => raw.seek(ino, offset, what));
  }

  // ---- names; each as the function of the same name in node:fs

  exists(path: Path): boolean {
    return this.fs.existsSync(path);
  }

  stat(path: Path): nodeFs.Stats {
    return this.fs.statSync(path);
  }

  lstat(path: Path): nodeFs.Stats {
    return this.fs.lstatSync(path);
  }

  /** @returns with `recursive`, the first directory made, if any */
  mkdir(path: Path, options?: nodeFs.MakeDirectoryOptions): string | undefined {
    return this.fs.mkdirSync(path, options);
  }

  /** Names in a directory, in no particular order. */
  readdir(path: Path): string[] {
    return this.fs.readdirSync(path);
  }

  rm(path: Path, options?: nodeFs.RmOptions): void {
    this.fs.rmSync(path, options);
  }

  rename(from: Path, to: Path): void {
    this.fs.renameSync(from, to);
  }

  link(existing: Path, created: Path): void {
    this.fs.linkSync(existing, created);
  }

  symlink(target: Path, path: Path): void {
    this.fs.symlinkSync(target, path);
  }

  readlink(path: Path): string {
    return this.fs.readlinkSync(path);
  }

  truncate(path: Path, length = 0): void {
    this.fs.truncateSync(path, length);
  }

  chmod(path: Path, mode: nodeFs.Mode): void {
    this.fs.chmodSync(path, mode);
  }

  chown(path: Path, uid: number, gid: number): void {
    this.fs.chownSync(path, uid, gid);
  }

  utimes(path: Path, atime: nodeFs.TimeLike, mtime: nodeFs.TimeLike): void {
    this.fs.utimesSync(path, atime, mtime);
  }

  /** Everything below a directory, parents first, names in byte order; links are not followed. */
  walk(path: Path = '/'): Generator<WalkEntry, void> {
    const ino = this.attributes.resolve(path, 'scandir');
    return walk(this.#volume, ino, Buffer.from(path.toString()));
  }

  /** @see Attributes.get */
  getxattr(path: Path, name: string): Buffer {
    return this.attributes.get(path, name);
  }

  /** @see Attributes.set */
  setxattr(path: Path, name: string, value: string | Uint8Array): void {
    this.attributes.set(path, name, value);
  }

  /** @see Attributes.list */
  listxattr(path: Path): string[] {
    return this.attributes.list(path);
  }

  /** @see Attributes.remove */
  removexattr(path: Path, name: string): void {
    this.attributes.remove(path, name);
  }
}

const EXTENT_PAGE = 1024;
const FALLOC = { keepSize: 1, punchHole: 2 } as const;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

function checkOffset(value: number, name = 'offset'): void {
  if (!Number.isSafeInteger(value) || value < 0) throw outOfRange(name, 'an integer >= 0', value);
}

/**
 * Opens a map file, or makes one.
 *
 * Packed maps open read-only with mode `r`. Opening a packed map, or one re-saved by another PNG
 * tool, for writing replaces the file by its live form (whole, by a rename).
 * @throws ENOENT, EACCES; EEXIST with mode `wx`
 * @throws EBUSY (reason 'locked') naming the process that has it open
 * @throws EINVAL with reason 'not-a-map', 'truncated', 'resized', 'version' or 'feature'
 * @throws EIO with reason 'corrupt' and the cluster, for damage
 */
export function openMap(path: string | URL, options: FileMapOptions = {}): InfiniteMap {
  const file = path instanceof URL ? fileURLToPath(path) : path;
  if (typeof file !== 'string') {
    throw invalidArgument('path', 'of type string or an instance of URL', path);
  }
  const backing = openBacking(file, options, engineOptions(options));
  return new InfiniteMap(
    backing.raw,
    options,
    backing,
    options.syncInterval ?? DEFAULT_SYNC_INTERVAL,
  );
}
