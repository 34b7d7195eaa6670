/** What differs between two states of a map: both trees walked side by side, by name. */
import { pathFields } from './output.js';
import {
  type Attributes,
  isDirectory,
  isFile,
  isLink,
  joinPath,
  type Session,
  type Timestamp,
  TYPE,
} from './session.js';

export interface Change {
  readonly kind: 'added' | 'removed' | 'changed';
  readonly path: string;
  readonly pathBase64?: string;
  /** Bytes of the path, with a slash at the end of a directory. */
  readonly shown: Buffer;
  /** What changed: type, data, target, mode, owner, time, xattrs. */
  readonly what: string[];
  /** Bytes of a file before; null for everything else and where it was not there. */
  readonly sizeBefore: number | null;
  readonly sizeAfter: number | null;
}

interface Side {
  readonly session: Session;
  readonly ino: number;
}

/** All changes from `before` to `after`, in the order of paths. */
export function changes(before: Session, after: Session): Change[] {
  const found: Change[] = [];
  const waiting: { path: Buffer; before: Side; after: Side }[] = [
    {
      path: Buffer.from('/'),
      before: { session: before, ino: before.root },
      after: { session: after, ino: after.root },
    },
  ];
  for (let pair = waiting.pop(); pair !== undefined; pair = waiting.pop()) {
    const old = pair.before.session.list(pair.before.ino);
    const now = pair.after.session.list(pair.after.ino);
    const below: typeof waiting = [];
    let left = 0;
    let right = 0;
    while (left < old.length || right < now.length) {
      const a = old[left];
      const b = now[right];
      const order = a === undefined ? 1 : b === undefined ? -1 : Buffer.compare(a.name, b.name);
      if (order < 0 && a !== undefined) {
        whole(found, 'removed', before, a.ino, joinPath(pair.path, a.name));
        left += 1;
        continue;
      }
      if (order > 0 && b !== undefined) {
        whole(found, 'added', after, b.ino, joinPath(pair.path, b.name));
        right += 1;
        continue;
      }
      if (a === undefined || b === undefined) break;
      left += 1;
      right += 1;
      const path = joinPath(pair.path, b.name);
      const was = before.stat(a.ino);
      const is = after.stat(b.ino);
      const what = differing(before, was, after, is);
      if (what.length > 0) {
        found.push(change('changed', path, was, is, what));
      }
      if (isDirectory(was.mode) && isDirectory(is.mode)) {
        below.push({
          path,
          before: { session: before, ino: a.ino },
          after: { session: after, ino: b.ino },
        });
      }
    }
    waiting.push(...below.reverse());
  }
  return found.sort((a, b) => Buffer.compare(a.shown, b.shown));
}

function whole(
  found: Change[],
  kind: 'added' | 'removed',
  session: Session,
  ino: number,
  path: Buffer,
): void {
  const attributes = session.stat(ino);
  const one = (at: Buffer, facts: Attributes): Change =>
    kind === 'added'
      ? change(kind, at, undefined, facts, [])
      : change(kind, at, facts, undefined, []);
  found.push(one(path, attributes));
  if (!isDirectory(attributes.mode)) return;
  for (const node of session.walk(ino, path)) found.push(one(node.path, session.stat(node.ino)));
}

function change(
  kind: Change['kind'],
  path: Buffer,
  was: Attributes | undefined,
  is: Attributes | undefined,
  what: string[],
): Change {
  const directory = isDirectory((is ?? was)?.mode ?? 0);
  const bytes = (facts: Attributes | undefined): number | null =>
    facts !== undefined && isFile(facts.mode) ? facts.size : null;
  return {
    kind,
    ...pathFields(path),
    shown: directory ? Buffer.concat([path, Buffer.from('/')]) : path,
    what,
    sizeBefore: bytes(was),
    sizeAfter: bytes(is),
  };
}

function differing(before: Session, was: Attributes, after: Session, is: Attributes): string[] {
  const what: string[] = [];
  if ((was.mode & TYPE.mask) !== (is.mode & TYPE.mask)) return ['type'];
  // An inode that nobody touched has the change time it had.
  if (was.ino === is.ino && same(was.ctime, is.ctime) && same(was.mtime, is.mtime)) {
    if (was.size === is.size && was.links === is.links) return [];
  }
  const data = was.size !== is.size || was.ino !== is.ino || !same(was.mtime, is.mtime);
  if (isFile(is.mode) && data && !sameData(before, was, after, is)) what.push('data');
  if (isLink(is.mode) && !before.readlink(was.ino).equals(after.readlink(is.ino))) {
    what.push('target');
  }
  if (was.rdev !== is.rdev) what.push('device');
  if ((was.mode & 0o7777) !== (is.mode & 0o7777)) what.push('mode');
  if (was.uid !== is.uid || was.gid !== is.gid) what.push('owner');
  if (!isDirectory(is.mode) && !same(was.mtime, is.mtime)) what.push('time');
  if (attributeText(before, was.ino) !== attributeText(after, is.ino)) what.push('xattrs');
  return what;
}

function same(a: Timestamp, b: Timestamp): boolean {
  return a.seconds === b.seconds && a.nanoseconds === b.nanoseconds;
}

const CHUNK = 1 << 20;

/** Compares the bytes of two files; both engines share one memory, so one side is copied. */
function sameData(before: Session, was: Attributes, after: Session, is: Attributes): boolean {
  if (was.size !== is.size) return false;
  for (let position = 0; position < is.size; position += CHUNK) {
    const old = before.gate.take(before.raw.read(was.ino, position, CHUNK));
    const count = after.raw.read(is.ino, position, CHUNK);
    if (!after.gate.scratch.subarray(0, count).equals(old)) return false;
  }
  return true;
}

function attributeText(session: Session, ino: number): string {
  return session
    .attributeNames(ino)
    .map((name) => `${name.toString('latin1')}=${session.attribute(ino, name).toString('hex')}`)
    .sort()
    .join('\n');
}
