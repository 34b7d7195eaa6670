/// <reference lib="dom" />
// The raw class of the engine. The package `aetherflow` wraps it; programs rarely need this one.
//
// Names and paths cross the border as bytes in the *scratch buffer*: one region of wasm memory, 1 MiB + 64 KiB, at
// address `map.scratch`, valid until memory grows (make the views again when `memory.buffer` has changed).
// Inode numbers, sizes, offsets, cookies and cluster numbers are JS numbers, exact up to 2^53; larger offsets throw ERANGE.
// Every method throws Error objects with `code` ('ENOENT'), `errno` (negative, like Node's: -2), `reason` (the engine's
// stable name, 'not-found'), `message` (one sentence), and where known `path` (string, lossy), `offset`, `cluster`.

export interface HostStorage {           // bytes of a file, by position
  readAt(offset: number, target: Uint8Array): void;   // fills target wholly or throws; past the end: throw {code:'EOF'}
  writeAt(offset: number, source: Uint8Array): void;  // (views onto wasm memory: use at once, never keep)
  sync(): void;
  length(): number;
  setLength(length: number): void;
}
export interface MapOptions {
  width?: number;            // pixels, power of two 256..8192; default from expectedSize
  expectedSize?: number;     // bytes
  cacheBytes?: number;       // default 64 MiB
  compression?: 'off' | 'zone' | 'all';   // for create; stored in the map
  level?: number;            // zstd level 1..19, default 3; stored in the map
  parity?: boolean;          // keep parity clusters up to date at close; default true; stored in the map
  label?: string;            // up to 255 bytes
  readOnly?: boolean;        // openOn
  rules?: Array<[pattern: string, importance: number]>; // prepended to the default table; stored in the map
  now?: () => number;        // clock, milliseconds since the epoch, may have a fraction
  uuid?: Uint8Array;         // 16 bytes, else random (tests)
}
export interface Extent { kind: 'raw'|'zstd'|'fill'|'pattern'|'inline'|'hole'; offset: number; length: number;
  cluster?: number; clusters?: number; storedBytes?: number; extentBytes?: number; extentOffset?: number;
  sheet?: number; x?: number; y?: number;           // pixel position of the first cluster's tile in the PNG
  planeX?: number; planeY?: number; distance?: number; zone?: Zone }
export type Zone = 'hot'|'warm'|'temperate'|'cool'|'cold';

export class Map {
  static create(options?: MapOptions): Map;                              // in memory
  static open(bytes: Uint8Array, options?: MapOptions): Map;             // in memory: live, packed or re-saved form
  static createOn(storage: HostStorage, log: HostStorage | undefined, options?: MapOptions): Map; // without a log the file is whole only once it is closed
  static detectOn(storage: HostStorage): 'live' | 'packed' | 'foreign';  // which form a file has
  static unpackOn(source: HostStorage, target: HostStorage, options?: MapOptions, progress?: (done: number, total: number) => boolean|void): void; // the live form of a packed or re-saved map
  static openOn(storage: HostStorage, log: HostStorage | undefined, options?: MapOptions): Map; // live (recovers from the log), packed (read-only), foreign -> throws reason 'needs-conversion' code EINVAL
  readonly memory: WebAssembly.Memory;
  readonly scratch: number;            // address
  readonly scratchLength: number;      // bytes
  readonly root: number;               // inode number of "/"
  readonly readOnly: boolean;
  free(): void;

  sync(): void;                        // everything written so far is durable (group commit)
  syncFile(ino: number): void;
  checkpoint(): void;
  close(): void;                       // flush, commit, checkpoint, parity, seal: the file is a strictly valid PNG
  abandon(): void;                     // drop without writing anything (tests, error paths)
  toPng(): Uint8Array;                 // in-memory maps: the sealed live form
  pack(write: (chunk: Uint8Array) => void, options?: {parity?: boolean}, progress?: (done: number, total: number) => boolean|void): void; // streams the packed form in file order

  // ---- inode level (like a low-level FUSE interface); name/path bytes lie at scratch[0..len]
  resolve(pathLength: number, base: number, followLast: boolean): number;      // walks an absolute or relative path; follows symlinks, ELOOP after 40
  resolveParent(pathLength: number, base: number): number;                     // inode of the parent directory; the last component's bytes are then at scratch[0..lastNameLength]
  readonly lastNameLength: number;
  lookup(parent: number, nameLength: number): number;                          // 0 when absent
  openFile(pathLength: number, base: number, flags: number, mode: number, uid: number, gid: number): number; // Linux O_* flags: CREAT EXCL TRUNC DIRECTORY NOFOLLOW (+ access mode for EISDIR/EROFS); returns the inode and counts it as open
  retain(ino: number): void;           // open count +1 (unlinked inodes live until their last release)
  release(ino: number): void;
  stat(ino: number): void;             // fills the stat record at scratch: see STAT below
  setattr(ino: number, mask: number, mode: number, uid: number, gid: number, atimeMs: number, atimeNs: number, mtimeMs: number, mtimeNs: number): void; // mask 1 mode 2 uid 4 gid 8 atime 16 mtime 32 birth time := mtime fields; times = floor(seconds)*1 given as (seconds, nanoseconds) despite the names
  truncate(ino: number, size: number): void;
  read(ino: number, offset: number, length: number): number;    // up to 1 MiB into scratch[0..]; returns bytes read (0 at the end)
  write(ino: number, offset: number, length: number): number;   // from scratch[0..length], length <= 1 MiB
  fallocate(ino: number, mode: number, offset: number, length: number): void;  // Linux mode bits: KEEP_SIZE 1, PUNCH_HOLE 2, ZERO_RANGE 16
  seek(ino: number, offset: number, what: 3 | 4): number;       // SEEK_DATA, SEEK_HOLE
  cloneRange(source: number, sourceOffset: number, target: number, targetOffset: number, length: number): number; // reflink; returns bytes
  mkdir(parent: number, nameLength: number, mode: number, uid: number, gid: number): number;
  createFile(parent: number, nameLength: number, mode: number, uid: number, gid: number): number;   // EEXIST if there
  mknod(parent: number, nameLength: number, mode: number, uid: number, gid: number, rdev: number): number;
  symlink(parent: number, nameLength: number, targetLength: number, uid: number, gid: number): number; // scratch: name, then target
  link(ino: number, parent: number, nameLength: number): void;
  unlink(parent: number, nameLength: number): void;
  rmdir(parent: number, nameLength: number): void;
  rename(parent: number, nameLength: number, newParent: number, newNameLength: number, flags: number): void; // scratch: name, then new name; flags 1 NOREPLACE 2 EXCHANGE
  readlink(ino: number): number;       // length; target at scratch
  readdir(ino: number, cookie: number, limit: number): number; // number of entries; at scratch: per entry ino f64, cookie f64, type u8 (DT_*: 4 dir, 8 file, 10 symlink, 1 fifo, 2 chr, 6 blk, 12 sock), name length u8, name; packed without padding; start with cookie 0, continue with the last entry's cookie; 0 = end. No "." and "..".
  parent(ino: number): number;         // parent of a directory (root: itself)
  getxattr(ino: number, nameLength: number): number;   // value length, value at scratch; ENODATA
  setxattr(ino: number, nameLength: number, valueLength: number, flags: number): void; // scratch: name, value; flags 1 CREATE 2 REPLACE
  listxattr(ino: number): number;      // bytes at scratch: NUL-terminated names
  removexattr(ino: number, nameLength: number): void;
  statPath(pathLength: number, base: number, followLast: boolean): number;     // resolve and stat in one: the inode, 0 where there is nothing
  importance(ino: number): number;     // the effective value 0..255
  importanceOfPath(pathLength: number): number;                                // what the rules give to a path
  setImportance(ino: number, value: number): void; // -1 = back to the rules; takes effect for data written from now on and for relocate()
  relocate(ino: number): void;         // rewrites a file's data at the place its importance asks for
  extents(ino: number, from: number, limit: number): Extent[];
  pathOf(ino: number): string | undefined;   // one path of an inode (directories exact; files by search) for messages

  // ---- whole map
  statfs(): { blockSize: 4096, blocks: number, freeBlocks: number, files: number, nameMax: 255 };
  info(): { format: string; form: 'live'|'packed'; width: number; height: number; sheets: number; rings: number; clusters: number; clustersUsed: number;
    fileBytes: number; label: string; uuid: string; created: number; modified: number; compression: string; level: number; parity: boolean; parityStale: boolean;
    files: number; directories: number; symlinks: number; others: number; bytes: number; snapshots: number; generation: number; cacheBytes: number; recovered: boolean;
    limits: { libpngRows: boolean; pillowPixels: boolean } };
  zones(): Array<{ zone: Zone; inner: number; outer: number; clusters: number; used: number }>;
  stats(): { cache: {hits:number,misses:number,evictions:number,bytes:number,budget:number}; reads: number; writes: number; commits: number; checkpoints: number; logBytes: number; dirtyBytes: number; dirtyPages: number;
    allocated: number; treeNodes: number; compressedLogical: number; compressedStored: number };
  settings(): { compression: 'off'|'zone'|'all'; level: number; parity: boolean; rules: Array<[string, number]>; label: string };
  configure(settings: object): void;                                     // any subset of settings
  verify(options: { deep?: boolean }, progress?: (done: number, total: number) => boolean|void): VerifyReport;
  compress(options: { path?: string; level?: number; all?: boolean }, progress?: (done: number, total: number) => boolean|void): { files: number; logicalBytes: number; storedBefore: number; storedAfter: number };
  /** Names below a directory that contain `text` (letters compared without case); at most `limit`, up to 10,000. The best first: names that are the text,
   *  then those that begin with it, then others; the shorter path first, then by path. Where a path is no UTF-8, its `bytes` come too. */
  find(directory: number, text: string, limit: number): { entries: Array<{ path: string; bytes?: Uint8Array; ino: number; type: number; size: number; mtimeMs: number }>; truncated: boolean };
  /** Changes the bytes of the picture in circles round plane pixels (x, y, x, y, …), behind the engine's back, for showing what checksums find. Destroys data.
   *  Returns the pixels and all clusters hit, in ascending order. EROFS unless the map is live and open for writing. */
  damage(points: Float64Array, radius: number): { pixels: number; clusters: Float64Array };
  /** Lets go of everything cached, so that the next reads come from the storage. */
  dropCaches(): void;
  render(layer: 'raw'|'zones'|'files'|'kinds'|'heat', options?: { size?: number; legend?: boolean; title?: string }): Uint8Array; // a PNG
  snapshotCreate(name: string, note?: string): SnapshotInfo;
  snapshotList(): SnapshotInfo[];                                        // newest first
  snapshotOpen(name: string): Map;                                       // a read-only view; free() it
  snapshotRestore(name: string): SnapshotInfo;                           // the automatic snapshot of the state before
  snapshotDelete(name: string): void;

  // ---- building a tree fast (workers compress, the owner places)
  importBegin(): void;                                                   // relaxes group commit until importEnd
  importFrame(length: number, logicalBytes: number, compressed: boolean, importance: number): number; // stored bytes in scratch (<= 128 KiB + slack); returns a frame number valid until importEnd
  importFile(parent: number, nameLength: number, extentsLength: number, mode: number, uid: number, gid: number, size: number, mtimeSeconds: number, mtimeNanoseconds: number, atimeSeconds: number, atimeNanoseconds: number): number;
      // scratch: name, then (8-byte aligned not needed) extentsLength bytes: records of {fileOffset f64, length u32, frame u32 (0xffffffff = fill), offsetInFrame u32 (fill: the byte)} = 20 bytes each, little-endian; sparse parts are simply absent; a whole small file may instead be given inline: one record with frame 0xfffffffe followed by its bytes. Returns the inode.
  importEnd(): void;                                                     // releases the frames' own references
}
export interface SnapshotInfo { name: string; note: string; id: number; created: number /* ms */; automatic: boolean; parent: number | null; files: number; bytes: number }
export interface VerifyReport { ok: boolean; clustersChecked: number; bytesChecked: number; files: number; directories: number; frames: number; framesDecodedTwice: number; parityStripes: number; parityStale: number;
  problems: Array<{ kind: string; message: string; severity: 'lost'|'suspect'|'harmless'; path?: string; offset?: number; cluster?: number; expected?: number; found?: number; advice: string }>; problemsTruncated: boolean }

// STAT record at scratch, little-endian: f64 ino @0, f64 size @8, f64 blocks(512 B) @16, u32 mode @24, u32 nlink @28, u32 uid @32, u32 gid @36,
// f64 rdev @40, i64 seconds + u32 ns: atime @48/@56, mtime @60/@68, ctime @72/@80, birthtime @84/@92 (unaligned i64s: use DataView or two u32), u32 importance @96; 100 bytes.

// ---- the plane, for those who draw it
/**
 * The plane of a map, or of a snapshot's view, as something to paint and point at. It shares the map, which may go on
 * changing; `refresh()` takes in what has changed. Coordinates are plane pixels: the centre of sheet 0 is (0, 0), x to
 * the right, y downward; tile (column, row) of `size` pixels at `zoom` covers plane pixels from column * size / 2^zoom on.
 */
export class Plane {
  static of(map: Map): Plane;
  free(): void;
  layout(): { sheet: number; sheets: number; extent: number; left: number; top: number; right: number; bottom: number;
    zones: Array<{ zone: Zone; inner: number; outer: number | null }> };
  readonly memory: WebAssembly.Memory;

  /** Reads on in the index of owners (which file holds which cluster), at most `items` of the tree; 0 reads nothing and shows what is known. Painting works meanwhile. */
  index(items: number): { done: number; total: number; complete: boolean };
  /** What the map has become since: the table's pages that differ are painted anew. Owners are kept until `index` has walked again. */
  refresh(): void;
  /** The state to compare with, for the layer `changes` and `changes()`; undefined for none. `index` then walks both. */
  compareWith(base: Map | undefined): void;
  /** What changed from the base to this state, by path; both must be indexed. */
  changes(limit: number): { changes: Array<{ kind: 'added' | 'removed' | 'changed'; path: string; type: 'file' | 'directory' | 'symlink' | 'other';
    sizeBefore?: number; sizeAfter?: number }>; added: number; removed: number; changed: number; truncated: boolean };

  /** Pages of the table a tile needs that are not in memory; `limit` 0 counts only. Remote maps fetch before they paint. */
  prefetch(zoom: number, column: number, row: number, size: number, limit: number): number;
  /** Address of size * size RGBA pixels in wasm memory, valid until the next call. `known`: only pages already in memory; the rest is hatched. */
  paint(layer: 'files' | 'zones' | 'heat' | 'kinds' | 'age' | 'raw' | 'changes', theme: 'dark' | 'light', zoom: number, column: number, row: number, size: number, known: boolean): number;
  /** Whether the last `paint` left something out: pages not in memory, owners not yet indexed. */
  readonly partial: boolean;
  /** As `paint`, transparent where nothing is marked; 0 when nothing of it is in the tile. */
  paintOverlay(overlay: 'selection' | 'damage', theme: 'dark' | 'light', zoom: number, column: number, row: number, size: number): number;
  /** The inodes that are the selection: a file, or a directory and with it everything below. Empty: none. */
  select(inodes: Float64Array): void;
  /** The clusters that are damaged. */
  damaged(clusters: Float64Array): void;
  /** `known`: only clusters of pages of the table that are in memory are counted. */
  legend(layer: string, theme: string, known: boolean): { swatches: Array<{ key: string; label: string; color: string; clusters: number }>;
    scale?: { colors: string[]; from: string; to: string }; note?: string };

  /** What lies at a point; `check` compares the cluster with its record. */
  hit(x: number, y: number, check: boolean): { outside: boolean; x: number; y: number; zone: Zone; distance: number; sheet?: number; cluster?: number;
    tileX?: number; tileY?: number; kind?: 'free' | 'node' | 'raw' | 'compressed' | 'packed' | 'parity' | 'table' | 'superblock' | 'unknown';
    references?: number; heat?: number; checksum?: 'good' | 'damaged' | 'none' | 'unread'; past?: boolean; fileCount?: number;
    files?: Array<{ ino: number; path: string; offset: number; length: number }>; bytes?: [number, number, number, number] };
  /** The stored bytes of a rectangle of pixels, 4 each, zeros outside of sheets; at most 256 x 256. */
  pixels(x: number, y: number, width: number, height: number): Uint8Array;
  /** Bounds, bytes and zone of all clusters of a file; undefined when it has none of its own. */
  bounds(ino: number): { left: number; top: number; right: number; bottom: number; clusters: number; zone: Zone; distance: number } | undefined;
  /** The importance whose place is nearest to this distance from the centre. */
  importanceAt(distance: number): number;
}

// ---- codec functions for workers (no Map needed)
export class Compressor { constructor(level: number); free(): void;
  readonly memory: WebAssembly.Memory; readonly input: number; readonly inputCapacity: number; /* 128 KiB */ readonly output: number;
  compress(length: number): number; // bytes at output; 0 = does not pay, store raw
}
export function version(): { engine: string; formatRead: number; formatWrite: number };

export { Map as InfiniteMap };

/** Node entry only: the compiled module, for `initSync` in worker threads. */
export const wasmModule: WebAssembly.Module;

/**
 * Browser entry (`aetherflow-wasm/web`) only: fetches, compiles and starts the module; without an argument from
 * beside the script. Returns the module's exports.
 */
export function init(
  source?: { module_or_path: RequestInfo | URL | Response | BufferSource | WebAssembly.Module },
): Promise<unknown>;
/** Browser entry only: starts the module from bytes or a compiled module. */
export function initSync(source: { module: BufferSource | WebAssembly.Module }): unknown;
