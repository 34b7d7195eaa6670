/**
 * Files on their way in. The page reads the drop and hands over batches; here they are streamed
 * into the map in pieces, so that no file is ever in memory as a whole.
 *
 * Small files are read a few ahead, several at once: asking the browser for a file costs a round
 * trip between processes, and meanwhile others are written. A file that fails is reported and the rest goes on.
 */
import type { FileFeed, ImportReport, IncomingFile, OnProgress } from '../engine/contract';
import { tidyPath } from './files';
import { PIECE, type Gate } from './gate';
import { encodeName } from './names';
import { Pace } from './pace';
import { explain } from './problems';
import { Reporter } from './progress';
import { begin, commit, withdraw, type Replacement } from './replace';
import type { Session } from './session';
import { forgetImport, markImport } from './unfinished';
import type { View } from './view';

/** Files whose first piece is read ahead, and their bytes. */
const AHEAD_FILES = 256;
const AHEAD_BYTES = 8 << 20;
/** Small files that are read together, and their bytes. */
const GROUP_FILES = 64;
const GROUP_BYTES = 256 << 10;
/** Failures that are told one by one. */
const FAILURES = 1000;

const MODIFIED = 16;

interface Incoming extends IncomingFile {
  /** The file's beginning, on its way; `undefined` for a directory. */
  first: Promise<Uint8Array> | undefined;
}

export async function importFiles(
  session: Session,
  directory: string,
  feed: FileFeed,
  onProgress: OnProgress | undefined,
): Promise<ImportReport> {
  const report: ImportReport = { files: 0, directories: 0, bytes: 0, failed: [], failedCount: 0 };
  const reporter = new Reporter(onProgress);
  const pace = new Pace();
  const arriving = new Arriving(feed);
  // Inode numbers are of this state of the map, and of no other.
  const { head } = session;
  const folders = new Folders(session, head, tidyPath(directory));
  await session.changing('files', markImport, head);
  for (let next = await arriving.next(); next !== undefined; next = await arriving.next()) {
    const { path, file, first } = next;
    try {
      const parts = path.split('/').filter((part) => part !== '' && part !== '.');
      const name = parts.pop();
      if (name === undefined) continue;
      if (file === undefined || first === undefined) {
        await folders.make([...parts, name]);
      } else {
        const parent = await folders.make(parts);
        reporter.tell(report.bytes, arriving.total, path);
        await store(session, head, parent, name, file, await first, (bytes) => {
          report.bytes += bytes;
          reporter.tell(report.bytes, arriving.total, path);
        });
        report.files += 1;
      }
    } catch (error) {
      const { code, reason, message } = explain(error);
      // What the map itself suffers from, every other file would too.
      if (code === 'ABORTED' || ['no-space', 'poisoned', 'read-only'].includes(reason)) throw error;
      report.failedCount += 1;
      if (report.failed.length < FAILURES) report.failed.push({ path, message });
    }
    await pace.step();
  }
  report.directories = folders.made;
  // Another import may still go on, and ends it.
  if (session.bulk <= 1) await session.changing('files', forgetImport, head);
  await session.sync();
  reporter.end(report.bytes, report.bytes);
  return report;
}

/** The feed, read a little ahead. */
class Arriving {
  readonly #feed: FileFeed;
  readonly #ready: Incoming[] = [];
  #batch: IncomingFile[] = [];
  #bytes = 0;
  #ended = false;
  #sum = 0;

  constructor(feed: FileFeed) {
    this.#feed = feed;
  }

  /** Bytes of all files, 0 until the end of the feed is known. */
  get total(): number {
    return this.#ended ? this.#sum : 0;
  }

  async next(): Promise<Incoming | undefined> {
    // A new group only when there is room for a whole one.
    while (this.#ready.length < AHEAD_FILES && this.#bytes < AHEAD_BYTES) {
      if (this.#batch.length > 0) this.#begin();
      else if (this.#ended || this.#ready.length > GROUP_FILES) break;
      else await this.#pull();
    }
    const next = this.#ready.shift();
    this.#bytes -= Math.min(PIECE, next?.file?.size ?? 0);
    return next;
  }

  async #pull(): Promise<void> {
    // From its end, so that taking one is cheap however large the batch.
    this.#batch = (await this.#feed.next()).reverse();
    if (this.#batch.length === 0) this.#ended = true;
    for (const { file } of this.#batch) this.#sum += file?.size ?? 0;
  }

  /** Begins to read the next file, or the next few small ones together. */
  #begin(): void {
    const group: Incoming[] = [];
    const files: File[] = [];
    let bytes = 0;
    for (let next = this.#batch.at(-1); next !== undefined; next = this.#batch.at(-1)) {
      const size = next.file?.size ?? 0;
      if (group.length > 0 && (files.length === GROUP_FILES || bytes + size > GROUP_BYTES)) break;
      this.#batch.pop();
      group.push({ ...next, first: undefined });
      bytes += size;
      if (next.file !== undefined) files.push(next.file);
      if (size > GROUP_BYTES) break;
    }
    const firsts = firstPieces(files);
    for (const incoming of group) {
      if (incoming.file !== undefined) incoming.first = firsts.shift();
      this.#bytes += Math.min(PIECE, incoming.file?.size ?? 0);
      this.#ready.push(incoming);
    }
  }
}

/**
 * The beginnings of some files. Small ones are read as one: asking for each by itself takes
 * several times as long as storing it.
 */
function firstPieces(files: File[]): Promise<Uint8Array>[] {
  const one = (file: File): Promise<Uint8Array> =>
    (file.size > PIECE ? file.slice(0, PIECE) : file)
      .arrayBuffer()
      .then((bytes) => new Uint8Array(bytes));
  const together = files.length > 1 ? new Blob(files).arrayBuffer() : undefined;
  let at = 0;
  return files.map((file) => {
    const from = at;
    at += file.size;
    // One that cannot be read fails all; then each is asked for by itself.
    const first =
      together === undefined
        ? one(file)
        : together.then(
            (bytes) => new Uint8Array(bytes, from, file.size),
            () => one(file),
          );
    // Told when its turn comes.
    first.catch(() => undefined);
    return first;
  });
}

/** Directories by path, made when they are missing. */
class Folders {
  readonly #session: Session;
  readonly #head: View;
  readonly #root: string;
  readonly #known = new Map<string, number>();
  made = 0;

  constructor(session: Session, head: View, root: string) {
    this.#session = session;
    this.#head = head;
    this.#root = root;
  }

  /** The inode of a directory below the root. */
  async make(parts: string[]): Promise<number> {
    const key = parts.join('/');
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const enter = ({ gate }: View): number => {
      let at = this.#root === '/' ? gate.root : gate.resolve(this.#root);
      for (const part of parts) at = this.#enter(gate, at, part);
      return at;
    };
    const ino = await this.#session.changing('files', enter, this.#head);
    this.#known.set(key, ino);
    return ino;
  }

  #enter(gate: Gate, parent: number, name: string): number {
    const there = gate.lookup(parent, name);
    if (there !== 0) {
      gate.raw.readdir(there, 0, 1);
      return there;
    }
    const made = gate.raw.mkdir(parent, gate.put(name), 0o755, 0, 0);
    this.made += 1;
    return made;
  }
}

/** Streams one file in; `wrote` is told of each piece. */
async function store(
  session: Session,
  head: View,
  parent: number,
  name: string,
  file: File,
  first: Uint8Array,
  wrote: (bytes: number) => void,
): Promise<void> {
  const encoded = encodeName(name);
  const whole = first.length >= file.size;
  const changing = <T>(action: (gate: Gate) => T): Promise<T> =>
    session.changing('files', ({ gate }) => action(gate), head);
  const made = await changing((gate) => {
    const begun = begin(gate, parent, encoded);
    try {
      gate.write(begun.ino, 0, first);
      if (whole) finish(gate, begun, file);
    } catch (error) {
      withdraw(gate, begun);
      throw error;
    }
    return begun;
  });
  wrote(first.length);
  if (whole) return;
  try {
    let ahead = piece(file, first.length);
    for (let at = first.length; at < file.size;) {
      const bytes = new Uint8Array(await ahead);
      if (bytes.length === 0) break;
      const next = at + bytes.length;
      ahead = piece(file, next);
      await changing((gate) => {
        gate.write(made.ino, at, bytes);
      });
      wrote(bytes.length);
      at = next;
    }
    await changing((gate) => {
      finish(gate, made, file);
    });
  } catch (error) {
    // The first failure is what is told.
    await changing((gate) => {
      withdraw(gate, made);
    }).catch(() => undefined);
    throw error;
  }
}

function piece(file: File, at: number): Promise<ArrayBuffer> {
  const bytes = file.slice(at, at + PIECE).arrayBuffer();
  bytes.catch(() => undefined);
  return bytes;
}

/** The times of the original, and the end of writing. */
function finish(gate: Gate, made: Replacement, file: File): void {
  const seconds = Math.floor(file.lastModified / 1000);
  const nanoseconds = (file.lastModified - seconds * 1000) * 1e6;
  gate.raw.setattr(made.ino, MODIFIED, 0, 0, 0, 0, 0, seconds, nanoseconds);
  commit(gate, made);
}
