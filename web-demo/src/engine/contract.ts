/**
 * What page and worker say to each other: the one interface between them.
 *
 * The page never touches the engine. It calls these functions through `client.ts`; the worker
 * implements them over the wasm module. Everything here can be cloned between threads.
 *
 * Coordinates are *plane pixels*: the centre of sheet 0 is (0, 0), x grows to the right, y
 * downward. A cluster is a tile of 32 x 32 pixels. Zoom z shows one plane pixel as 2^z screen
 * pixels, from about -12 to 6. Times are milliseconds since the epoch, sizes and offsets bytes.
 *
 * Paths are absolute. A name that is no UTF-8 comes with each foreign byte b as the lone surrogate
 * U+DC00 + b, and goes back the same way, so that every name can be reached.
 */

import type { MapInfo, VerifyReport, Zone, Extent } from './reports';

export type { MapInfo, VerifyReport, Zone, Extent } from './reports';

// ---- where maps come from

export type Source =
  /** A map this browser keeps (OPFS): can be changed, survives a reload. */
  | { kind: 'stored'; name: string }
  /** A file of the visitor's, read where it lies; read-only. */
  | { kind: 'file'; file: File }
  /** A picture on a server, by HTTP ranges; read-only. */
  | { kind: 'url'; url: string };

/** A map this browser keeps. */
export interface StoredMap {
  name: string;
  bytes: number;
  modified: number;
}

/** What this browser offers for keeping maps. */
export interface Keeping {
  /** False where there is no OPFS (private windows of some browsers): maps live in memory only. */
  available: boolean;
  /** Whether the browser promised not to evict it. */
  persisted: boolean;
  usage: number;
  quota: number;
}

/** A map that is open. */
export interface OpenMap {
  /** File name or the last part of the URL, for people. */
  title: string;
  from: { kind: 'stored' | 'memory' | 'file' | 'url'; address: string };
  writable: boolean;
  /** Survives a reload. */
  kept: boolean;
  /** Committed work was found in a log and is there again. */
  recovered: boolean;
  /** The last import was cut off: so many of its files are here, each of them whole. */
  unfinished?: { files: number };
  info: MapInfo;
  layout: PlaneLayout;
}

/** The shape of the plane, in plane pixels. */
export interface PlaneLayout {
  /** Side of a sheet. */
  sheet: number;
  sheets: number;
  /** Side of the square of whole rings: twice the largest radius of a zone. */
  extent: number;
  /** Bounds of the sheets there are. */
  left: number;
  top: number;
  right: number;
  bottom: number;
  /** From the centre outward; the outer radius of the last one is null. */
  zones: { zone: Zone; inner: number; outer: number | null }[];
}

// ---- the plane

export type Layer = 'files' | 'zones' | 'heat' | 'kinds' | 'age' | 'raw' | 'changes';
export type Theme = 'dark' | 'light';

/** Tile (column, row) of `size` screen pixels a side at a zoom: plane pixels from column*size/2^zoom. */
export interface TileRequest {
  layer: Layer;
  theme: Theme;
  zoom: number;
  column: number;
  row: number;
  size: number;
}

export interface Tile {
  bitmap: ImageBitmap;
  /** Not all is known yet (a remote map, or the index is still being read): it will be painted again. */
  partial: boolean;
}

/** One line of a legend. Colours are CSS. */
export interface Swatch {
  key: string;
  label: string;
  color: string;
  clusters: number;
}
export interface Legend {
  layer: Layer;
  swatches: Swatch[];
  /** A scale instead of a list: colours from `from` to `to`. */
  scale?: { colors: string[]; from: string; to: string };
  /** What the colours leave out or cannot say, in one sentence. */
  note?: string;
}

/** What lies at a point of the plane. */
export interface Hit {
  /** Outside of all sheets: nothing there, and the map would grow there. */
  outside: boolean;
  x: number;
  y: number;
  zone: Zone;
  /** Pixels from the centre. */
  distance: number;
  sheet?: number;
  cluster?: number;
  /** Upper left corner of the cluster's tile. */
  tileX?: number;
  tileY?: number;
  kind?:
    | 'free'
    | 'node'
    | 'raw'
    | 'compressed'
    | 'packed'
    | 'parity'
    | 'table'
    | 'superblock'
    | 'unknown';
  references?: number;
  heat?: number;
  /** Compared with the record now: a stale parity cluster has none to compare with. */
  checksum?: 'good' | 'damaged' | 'none' | 'unread';
  /** The files whose bytes lie here; several where small files are packed together (at most 20 named). */
  files?: { path: string; ino: number; offset: number; length: number }[];
  fileCount?: number;
  /** Held by snapshots only. */
  past?: boolean;
  /** The pixel under the pointer: its four bytes as stored. */
  bytes?: [number, number, number, number];
}

/** Things painted over the plane: the outline of chosen files, damaged clusters. */
export type Overlay = 'selection' | 'damage';

// ---- files

export interface Entry {
  name: string;
  path: string;
  ino: number;
  type: 'file' | 'directory' | 'symlink' | 'other';
  size: number;
  modified: number;
}

export interface Details extends Entry {
  mode: number;
  uid: number;
  gid: number;
  links: number;
  created: number;
  changed: number;
  /** 0 (cold) to 255 (hot), what placement asks for. */
  importance: number;
  /** Bytes on the plane, after compression; a share where packed with others. */
  stored: number;
  /** Target of a symbolic link. */
  target?: string;
  /** Number of entries of a directory. */
  entries?: number;
  /** Where most of it lies. */
  zone?: Zone;
  distance?: number;
  /** Bounds of all its clusters; absent when it has none of its own (it lives in the tree). */
  bounds?: { left: number; top: number; right: number; bottom: number };
  /** The first pieces, at most 200, and how many there are. */
  extents: Extent[];
  extentCount: number;
}

export interface Found {
  entries: Entry[];
  /** More were found than are listed. */
  truncated: boolean;
}

/** Files on their way in: the page reads the drop, the worker pulls. An empty batch is the end. */
export interface FileFeed {
  next(): Promise<IncomingFile[]>;
}
export interface IncomingFile {
  /** Relative, with slashes. */
  path: string;
  /** Absent for a directory. */
  file?: File;
}
export interface ImportReport {
  files: number;
  directories: number;
  bytes: number;
  /** What could not be read or stored; the rest is there. */
  failed: { path: string; message: string }[];
  /** How many; `failed` names the first thousand. */
  failedCount: number;
}

// ---- snapshots

export interface Snapshot {
  name: string;
  note: string;
  created: number;
  automatic: boolean;
  files: number;
  bytes: number;
}

export interface Change {
  kind: 'added' | 'removed' | 'changed';
  path: string;
  type: Entry['type'];
  sizeBefore?: number;
  sizeAfter?: number;
}
export interface Comparison {
  /** Snapshot names; null is the present. */
  before: string | null;
  after: string | null;
  changes: Change[];
  added: number;
  removed: number;
  changed: number;
  truncated: boolean;
}

// ---- heat

/** What was read when, so that it can be read again. */
export interface Recording {
  version: 1;
  map: string;
  duration: number;
  /** Milliseconds from the start, path, offset, length. */
  reads: [number, string, number, number][];
}

// ---- telling

/** Done and total in the unit of the task; total 0 while unknown. */
export interface Progress {
  done: number;
  total: number;
  /** What is being worked on: a path. */
  at?: string;
}
export type OnProgress = (progress: Progress) => void;

/** Something went wrong, in words. Thrown by every call of {@link Engine}. */
export interface Problem {
  /** Node's error code ('ENOENT', 'EIO') or 'ABORTED'. */
  code: string;
  /** The engine's stable name, or the page's own: 'not-a-map', 'truncated', 'resized', 'corrupt', 'locked',
   *  'no-ranges', 'changed-on-server', 'unreachable', 'no-space', 'read-only', … */
  reason: string;
  /** What happened, one sentence. */
  message: string;
  /** What the visitor can do about it, one sentence. */
  advice?: string;
  path?: string;
  offset?: number;
  cluster?: number;
}

export type EngineEvent =
  /** Names or data changed: lists and details are to be read again. */
  | { type: 'files' }
  /** Tiles are to be painted again; in this rectangle only, where given. */
  | {
      type: 'plane';
      layout: PlaneLayout;
      area?: { left: number; top: number; right: number; bottom: number };
    }
  /** Reads have warmed something. */
  | { type: 'heat' }
  | { type: 'snapshots' }
  /** The index of who owns which cluster; `waiting`: a remote map whose index is large, see `readIndex`. */
  | { type: 'index'; done: number; total: number; complete: boolean; waiting: boolean }
  /** A remote map: bytes fetched so far of the bytes there are. */
  | { type: 'fetched'; bytes: number; total: number; requests: number }
  /** Something failed that nobody waits for (a save in the background). */
  | { type: 'failed'; problem: Problem };

// ---- the engine

export interface Engine {
  /** Loads the wasm module; everything else waits for it. */
  start(): Promise<{ engine: string; formatRead: number; formatWrite: number }>;
  /** One listener: the page. */
  listen(listener: (event: EngineEvent) => void): Promise<void>;

  keeping(): Promise<Keeping>;
  storedMaps(): Promise<StoredMap[]>;
  deleteStored(name: string): Promise<void>;
  /** Closes the open map and opens another. A picture re-saved by another tool is made a map again in this browser. */
  open(source: Source, onProgress?: OnProgress): Promise<OpenMap>;
  /**
   * A new, empty map kept in this browser (in memory where it keeps nothing). A taken name gets a number.
   * The picture's width depends on the bytes it is going to hold, where that is known.
   */
  create(name: string, expectedBytes?: number): Promise<OpenMap>;
  /** Copies the open map into this browser, where it can be changed, and opens the copy. */
  editCopy(name: string, onProgress?: OnProgress): Promise<OpenMap>;
  /**
   * Where the last changes cannot be made durable the map stays open and this fails ('no-space'), as
   * does opening another; `force` closes it all the same and loses them.
   */
  close(force?: boolean): Promise<void>;
  /** The visitor knows that an import was cut off: {@link OpenMap.unfinished} is told no more. */
  acceptUnfinished(): Promise<void>;

  info(): Promise<MapInfo>;
  /** Checks every checksum and structure; damaged clusters become the `damage` overlay. */
  verify(deep: boolean, onProgress?: OnProgress): Promise<VerifyReport>;
  /** The map as a file for downloading: `live` as it is, `packed` smaller. Lies on disk, not in memory. */
  save(form: 'live' | 'packed', onProgress?: OnProgress): Promise<File>;
  /** Makes everything so far durable. Also happens by itself, shortly after every change. */
  sync(): Promise<void>;

  // the plane; all of these show the state that `view` chose
  tile(request: TileRequest): Promise<Tile>;
  /** Like a tile, transparent where nothing is marked. */
  overlayTile(overlay: Overlay, request: TileRequest): Promise<ImageBitmap | undefined>;
  legend(layer: Layer, theme: Theme): Promise<Legend>;
  hit(x: number, y: number): Promise<Hit>;
  /** Bytes of the pixels from (x, y) on, as stored, 4 a pixel; outside of sheets zeros. At most 256 x 256. */
  pixels(x: number, y: number, width: number, height: number): Promise<Uint8Array>;
  /** Marks the clusters of a file, or of everything below a directory, as the selection; null for none. */
  mark(path: string | null): Promise<void>;
  /** Reads the rest of a remote map's index, which waits when it is large. */
  readIndex(): Promise<void>;

  // files
  list(path: string): Promise<Entry[]>;
  details(path: string): Promise<Details>;
  read(path: string, offset: number, length: number): Promise<Uint8Array>;
  search(text: string, limit: number): Promise<Found>;
  /** Replaces a file's bytes, made when missing. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  makeDirectory(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** With everything below. */
  remove(path: string): Promise<void>;
  /** Copies files in below `directory`; existing ones are replaced. Streams: memory stays bounded. */
  import(directory: string, feed: FileFeed, onProgress?: OnProgress): Promise<ImportReport>;
  /** A file as a file; a directory as a .zip. */
  export(path: string, onProgress?: OnProgress): Promise<File>;
  /** Places a file, or everything below a directory, at this distance from the centre from now on, and moves its data there. */
  place(path: string, distance: number): Promise<void>;
  /** Back to where the rules put it. */
  unplace(path: string): Promise<void>;

  // snapshots
  snapshots(): Promise<Snapshot[]>;
  createSnapshot(name: string, note: string): Promise<Snapshot>;
  deleteSnapshot(name: string): Promise<void>;
  /** The present becomes what the snapshot holds; the state before is kept as an automatic snapshot, returned. */
  rollBack(name: string): Promise<Snapshot>;
  /** Shows a snapshot instead of the present (null) in plane, lists and reads; read-only. */
  view(snapshot: string | null): Promise<void>;
  /** What changed from one to the other; also what the `changes` layer paints until the next comparison. */
  compare(before: string | null, after: string | null): Promise<Comparison>;

  // heat
  startRecording(): Promise<void>;
  stopRecording(): Promise<Recording>;
  /** Reads everything again, `speed` times as fast; stops when `stopReplay` is called. */
  replay(recording: Recording, speed: number, onProgress?: OnProgress): Promise<void>;
  stopReplay(): Promise<void>;

  /** Damages the pixels of the picture round these points, for real. Returns the pixels and clusters hit. */
  scratch(
    points: [number, number][],
    radius: number,
  ): Promise<{ pixels: number; clusters: number }>;
}
