/**
 * New contents for a name. They have no name until they are whole, and then take it in one step: so
 * a write that fails, a map that is closed or a tab that ends in the middle takes nothing away and
 * leaves nothing behind, since the engine removes what has no name when it opens the map.
 */
import { TYPE, type Gate, type Stat } from './gate';
import { encodeName } from './names';
import { problem } from './problems';

const O_CREAT_EXCL_WRONLY_NOFOLLOW = 0o400301;
const MODE_AND_OWNER = 7;
const MODIFIED = 16;
const BORN = 32;

export interface Replacement {
  readonly ino: number;
  readonly parent: number;
  readonly name: Uint8Array;
}

/** What has a name now. @throws EISDIR */
function there(gate: Gate, parent: number, name: Uint8Array): Stat | undefined {
  const ino = gate.lookup(parent, name);
  if (ino === 0) return undefined;
  const stat = gate.stat(ino);
  if (stat.mode >> 12 === TYPE.directory) {
    throw problem('EISDIR', 'is-a-directory', 'A folder of that name is there already.');
  }
  return stat;
}

/** A name nobody else has, for the time between two calls of the engine. */
function passingName(): Uint8Array {
  return encodeName(`.replacing-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`);
}

/** An open file without a name. */
export function begin(gate: Gate, parent: number, name: Uint8Array): Replacement {
  const { raw } = gate;
  const old = there(gate, parent, name);
  // Where the name is free it is made under it: the rules place a file by its name.
  const made = old === undefined ? name : passingName();
  const flags = O_CREAT_EXCL_WRONLY_NOFOLLOW;
  const ino = raw.openFile(gate.put(made), parent, flags, 0o644, 0, 0);
  try {
    raw.unlink(parent, gate.put(made));
    if (old !== undefined && old.mode >> 12 === TYPE.file) {
      raw.setattr(ino, MODE_AND_OWNER, old.mode & 0o7777, old.uid, old.gid, 0, 0, 0, 0);
      setTime(gate, ino, BORN, old.created);
      raw.setImportance(ino, old.importance);
      copyAttributes(gate, old.ino, ino);
    }
  } catch (error) {
    withdraw(gate, { ino, parent, name });
    throw error;
  }
  return { ino, parent, name };
}

/** Gives it its name, in the place of what may have it. */
export function commit(gate: Gate, { ino, parent, name }: Replacement): void {
  const { raw } = gate;
  const old = there(gate, parent, name);
  if (old === undefined) {
    raw.link(ino, parent, gate.put(name));
  } else if (old.mode >> 12 === TYPE.file && old.links > 1) {
    // Its other names are to show the new contents too. In this order, so that at no time neither is there.
    const { size, modified } = gate.stat(ino);
    if (size > 0) raw.cloneRange(ino, 0, old.ino, 0, size);
    raw.truncate(old.ino, size);
    setTime(gate, old.ino, MODIFIED, modified);
  } else {
    const passing = passingName();
    raw.link(ino, parent, gate.put(passing));
    try {
      const length = gate.put(passing);
      raw.rename(parent, length, parent, gate.put(name, length), 0);
    } catch (error) {
      raw.unlink(parent, gate.put(passing));
      throw error;
    }
  }
  raw.release(ino);
}

/** Lets go of it; what was there is untouched. */
export function withdraw(gate: Gate, { ino }: Replacement): void {
  try {
    gate.raw.release(ino);
  } catch {
    // What made it necessary is what is told.
  }
}

function setTime(gate: Gate, ino: number, which: number, time: number): void {
  const seconds = Math.floor(time / 1000);
  const nanoseconds = Math.floor((time - seconds * 1000) * 1e6);
  gate.raw.setattr(ino, which, 0, 0, 0, 0, 0, seconds, nanoseconds);
}

/** The extended attributes of one file for another. */
function copyAttributes(gate: Gate, from: number, to: number): void {
  const { raw } = gate;
  const length = raw.listxattr(from);
  const list = gate.bytes.slice(0, length);
  for (let at = 0; at < length;) {
    const end = list.indexOf(0, at);
    const name = list.subarray(at, end);
    at = end + 1;
    const value = gate.bytes.slice(0, raw.getxattr(from, gate.put(name)));
    const size = gate.put(name);
    raw.setxattr(to, size, gate.put(value, size), 0);
  }
}
