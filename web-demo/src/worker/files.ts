/** Names and data: what the tree, the details and the editors of the page ask for. */
import type { Details, Entry, Extent, Found } from '../engine/contract';
import { PIECE, TYPE, type Gate, type NamedInode, type Stat } from './gate';
import { baseName, decodeName, joinPath } from './names';
import { Pace } from './pace';
import { problem } from './problems';
import { begin, commit, withdraw } from './replace';
import type { Session } from './session';
import type { View } from './view';

/** Pieces of a file that are told; more only make the page slow. */
const EXTENTS = 200;
/** Pieces asked for at once while they are counted. */
const COUNTED = 4000;
/** Largest read of the page: it holds all of it in memory. */
const READ_LIMIT = 256 << 20;

const NO_REPLACE = 1;

function typeName(type: number): Entry['type'] {
  switch (type) {
    case TYPE.file:
      return 'file';
    case TYPE.directory:
      return 'directory';
    case TYPE.symlink:
      return 'symlink';
    default:
      return 'other';
  }
}

/** The type in a mode, as a directory's entry has it. */
function typeOf(mode: number): number {
  return mode >> 12;
}

/** Paths as people write them, as the engine takes them: absolute, without a slash at the end. */
export function tidyPath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return `/${parts.join('/')}`;
}

function entryOf(stat: Stat, path: string): Entry {
  return {
    name: baseName(path),
    path,
    ino: stat.ino,
    type: typeName(typeOf(stat.mode)),
    size: stat.size,
    modified: stat.modified,
  };
}

/** Directories first, names as people sort them. */
const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });
function byName(a: Entry, b: Entry): number {
  const directories = Number(b.type === 'directory') - Number(a.type === 'directory');
  return directories || collator.compare(a.name, b.name) || (a.name < b.name ? -1 : 1);
}

export async function list(session: Session, path: string): Promise<Entry[]> {
  const directory = tidyPath(path);
  const view = session.shown;
  const named = await session.reading(({ gate }) => gate.entries(gate.resolve(directory)), view);
  const entries: Entry[] = [];
  const pace = new Pace();
  // In parts, so that the thread of a large directory is shared and a remote one comes in runs.
  for (let at = 0; at < named.length; at += 256) {
    const part = named.slice(at, at + 256);
    entries.push(...(await session.reading(({ gate }) => statAll(gate, directory, part), view)));
    await pace.step();
  }
  return entries.sort(byName);
}

function statAll(gate: Gate, directory: string, named: NamedInode[]): Entry[] {
  return named.map(({ ino, name, type }) => {
    const path = joinPath(directory, name);
    try {
      return entryOf(gate.stat(ino), path);
    } catch (error) {
      // One damaged inode does not hide its directory.
      if ((error as { reason?: unknown }).reason !== 'corrupt') throw error;
      return { name, path, ino, type: typeName(type), size: 0, modified: 0 };
    }
  });
}

export async function details(session: Session, given: string): Promise<Details> {
  const path = tidyPath(given);
  const view = session.shown;
  if (view === session.head && session.backing.writable) {
    // What waits for its place gets one, so that there is something to show.
    return session.alone(() => Promise.resolve(detailsOf(view, path)));
  }
  return session.reading((one) => detailsOf(one, path), view);
}

function detailsOf({ gate, raw, plane }: View, path: string): Details {
  const stat = gate.stat(path === '/' ? gate.root : gate.resolve(path));
  const { ino, mode, uid, gid, links, created, changed } = stat;
  const entry = entryOf(stat, path);
  const result: Details = {
    ...entry,
    mode,
    uid,
    gid,
    links,
    created,
    changed,
    importance: stat.importance,
    stored: 0,
    extents: [],
    extentCount: 0,
  };
  if (entry.type === 'symlink') result.target = gate.readlink(ino);
  if (entry.type === 'directory') result.entries = gate.entries(ino).length;
  if (entry.type !== 'file') return result;
  for (let from = 0; ;) {
    const part = raw.extents(ino, from, COUNTED);
    for (const extent of part) result.stored += storedShare(extent);
    if (result.extents.length < EXTENTS) {
      result.extents.push(...part.slice(0, EXTENTS - result.extents.length));
    }
    result.extentCount += part.length;
    const last = part.at(-1);
    if (last === undefined || part.length < COUNTED) break;
    from = last.offset + last.length;
  }
  result.stored = Math.round(result.stored);
  const bounds = plane.bounds(ino);
  if (bounds !== undefined) {
    const { left, top, right, bottom, zone, distance } = bounds;
    result.bounds = { left, top, right, bottom };
    result.zone = zone;
    result.distance = distance;
  }
  return result;
}

/** Bytes on the plane that are this piece's; of an extent shared with others its part. */
function storedShare({ kind, length, storedBytes, extentBytes }: Extent): number {
  if (kind === 'inline') return length;
  if (storedBytes === undefined || extentBytes === undefined || extentBytes === 0) return 0;
  return storedBytes * Math.min(1, length / extentBytes);
}

/** The inode of a file. @throws EISDIR */
export function fileAt(gate: Gate, path: string): Stat {
  const stat = gate.stat(gate.raw.resolve(gate.put(path), gate.root, true));
  if (typeOf(stat.mode) === TYPE.directory) {
    throw problem('EISDIR', 'is-a-directory', 'That is a folder, not a file.');
  }
  return stat;
}

export async function read(
  session: Session,
  given: string,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const view = session.shown;
  const path = tidyPath(given);
  const { ino, size } = await session.reading(({ gate }) => fileAt(gate, path), view);
  const wanted = Math.max(0, Math.min(length, size - offset));
  if (wanted > READ_LIMIT) {
    throw problem('EFBIG', 'too-big', 'That is too much to show at once.', 'Download the file.');
  }
  const target = new Uint8Array(wanted);
  let done = 0;
  for await (const piece of pieces(session, view, ino, offset, wanted)) {
    target.set(piece, done);
    done += piece.length;
  }
  return done === wanted ? target : target.slice(0, done);
}

/** Reads a part of a file piece by piece; what a remote map lacks of a piece comes in parallel. */
export async function* pieces(
  session: Session,
  view: View,
  ino: number,
  offset: number,
  length: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const pace = new Pace();
  for (let done = 0; done < length;) {
    const count = Math.min(PIECE, length - done);
    await fetchAhead(session, view, ino, offset + done, count);
    const piece = await session.reading(({ gate }) => gate.read(ino, offset + done, count), view);
    if (piece.length === 0) return;
    yield piece;
    done += piece.length;
    await pace.step();
  }
}

/** The largest compressed frame: every one of a piece is asked for on its own, all at once. */
const FRAME = 128 * 1024;

/** Finds out all that is missing for a read, and fetches it in parallel. */
async function fetchAhead(
  session: Session,
  view: View,
  ino: number,
  offset: number,
  length: number,
): Promise<void> {
  const { remote } = session.backing;
  if (remote === undefined || length <= FRAME) return;
  for (let round = 0; round < 4; round += 1) {
    session.check(view);
    let lacking = false;
    for (let at = 0; at < length; at += FRAME) {
      remote.collect();
      try {
        view.raw.read(ino, offset + at, Math.min(FRAME, length - at));
      } catch {
        // What is damaged is told by the read that follows.
      } finally {
        lacking = remote.settle() || lacking;
      }
    }
    if (!lacking) return;
    await remote.fetchMissing();
  }
}

export async function search(session: Session, text: string, limit: number): Promise<Found> {
  const wanted = text.trim();
  if (wanted === '') return { entries: [], truncated: false };
  const { entries, truncated } = await session.reading(({ raw }) =>
    raw.find(raw.root, wanted, limit),
  );
  return {
    truncated,
    entries: entries.map((found) => {
      const bytes = (found as { bytes?: Uint8Array }).bytes;
      const path = tidyPath(bytes === undefined ? found.path : decodeName(bytes));
      const { ino, type, size, mtimeMs } = found;
      return { name: baseName(path), path, ino, type: typeName(type), size, modified: mtimeMs };
    }),
  };
}

// ---- changing

/** Most links on the way to a file. */
const LINKS = 40;

/** Where a file lies, or is to lie: links at the end of the path are followed. */
function targetOf(gate: Gate, path: string): { parent: number; name: Uint8Array } {
  let target = gate.parentOf(path);
  for (let count = 0; count < LINKS; count += 1) {
    const ino = gate.lookup(target.parent, target.name);
    if (ino === 0 || gate.stat(ino).mode >> 12 !== TYPE.symlink) return target;
    target = gate.parentOf(gate.readlink(ino), target.parent);
  }
  throw problem('ELOOP', 'loop', 'The link leads to itself.');
}

/** Refuses names that no entry can have, before the engine meets them. */
function checkName(path: string): void {
  const name = baseName(path);
  if (name === '' || name === '.' || name === '..') {
    throw problem('EINVAL', 'invalid', 'A name cannot be empty or consist of dots.');
  }
}

export async function write(session: Session, given: string, bytes: Uint8Array): Promise<void> {
  const path = tidyPath(given);
  checkName(path);
  await session.changing('files', ({ gate }) => {
    const { parent, name } = targetOf(gate, path);
    const made = begin(gate, parent, name);
    try {
      for (let at = 0; at < bytes.length; at += PIECE) {
        gate.write(made.ino, at, bytes.subarray(at, at + PIECE));
      }
      commit(gate, made);
    } catch (error) {
      withdraw(gate, made);
      throw error;
    }
  });
}

export async function makeDirectory(session: Session, given: string): Promise<void> {
  const path = tidyPath(given);
  checkName(path);
  await session.changing('files', ({ gate, raw }) => {
    const { parent, name } = gate.parentOf(path);
    raw.mkdir(parent, gate.put(name), 0o755, 0, 0);
  });
}

export async function rename(session: Session, from: string, to: string): Promise<void> {
  const [before, after] = [tidyPath(from), tidyPath(to)];
  checkName(before);
  checkName(after);
  if (before === after) return;
  if (after.startsWith(`${before}/`)) {
    throw problem('EINVAL', 'invalid', 'A folder cannot be moved into itself.');
  }
  await session.changing('files', ({ gate, raw }) => {
    const source = gate.parentOf(before);
    const target = gate.parentOf(after);
    const length = gate.put(source.name);
    const newLength = gate.put(target.name, length);
    raw.rename(source.parent, length, target.parent, newLength, NO_REPLACE);
  });
}

/** Removes a file, or a directory with everything below. */
export async function remove(session: Session, given: string): Promise<void> {
  const path = tidyPath(given);
  // Inode numbers are of this state of the map, and of no other.
  const { head } = session;
  const top = await session.reading(({ gate }) => gate.stat(gate.resolve(path)), head);
  if (path === '/') {
    throw problem(
      'EBUSY',
      'busy',
      'The whole map cannot be removed from within.',
      'Delete the map.',
    );
  }
  const isDirectory = typeOf(top.mode) === TYPE.directory;
  if (isDirectory) await removeBelow(session, head, top.ino);
  await session.changing(
    'files',
    ({ gate, raw }) => {
      const { parent, name } = gate.parentOf(path);
      if (isDirectory) raw.rmdir(parent, gate.put(name));
      else raw.unlink(parent, gate.put(name));
    },
    head,
  );
}

/** Empties a directory, deepest first. */
async function removeBelow(session: Session, head: View, root: number): Promise<void> {
  const pace = new Pace();
  // In a damaged map directories may hold each other.
  const met = new Set([root]);
  const stack: { ino: number; parent: number; name: string; entered: boolean }[] = [];
  const enter = async (ino: number): Promise<void> => {
    const entries = await session.reading(({ gate }) => gate.entries(ino), head);
    for (const { ino: child, type, name } of entries) {
      if (type === TYPE.directory) {
        if (met.has(child)) throw circular();
        met.add(child);
        stack.push({ ino: child, parent: ino, name, entered: false });
        continue;
      }
      await session.changing(
        'files',
        ({ gate, raw }) => {
          raw.unlink(ino, gate.put(name));
        },
        head,
      );
      await pace.step();
    }
  };
  await enter(root);
  for (let next = stack.at(-1); next !== undefined; next = stack.at(-1)) {
    if (!next.entered) {
      next.entered = true;
      await enter(next.ino);
      continue;
    }
    const { parent, name } = next;
    stack.pop();
    await session.changing(
      'files',
      ({ gate, raw }) => {
        raw.rmdir(parent, gate.put(name));
      },
      head,
    );
    await pace.step();
  }
}

function circular(): Error {
  return problem(
    'EIO',
    'corrupt',
    'A folder of this map holds itself.',
    'Verify the map to see all that is damaged; everything else stays readable.',
  );
}

/** One thing met on a walk. */
export interface Walked extends NamedInode {
  /** Below the start, with slashes. */
  path: string;
}

/** Everything below a directory, parents before children; a directory that is met again is told once. */
export async function* walk(
  session: Session,
  view: View,
  root: number,
): AsyncGenerator<Walked, void> {
  const met = new Set([root]);
  const stack = [{ ino: root, path: '' }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { ino, path } = next;
    const entries = await session.reading(({ gate }) => gate.entries(ino), view);
    for (const entry of entries) {
      const below = path === '' ? entry.name : `${path}/${entry.name}`;
      const isDirectory = entry.type === TYPE.directory;
      // In a damaged map directories may hold each other, which would go on for ever.
      if (isDirectory && met.has(entry.ino)) continue;
      yield { ...entry, path: below };
      if (!isDirectory) continue;
      met.add(entry.ino);
      stack.push({ ino: entry.ino, path: below });
    }
  }
}
