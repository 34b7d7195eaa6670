/**
 * New contents for a name: written beside what is there, which stays until they are whole. So a
 * write that fails, or a map that is closed in the middle, takes nothing away.
 */
import { TYPE, type Gate } from './gate';
import { encodeName } from './names';

const O_CREAT_TRUNC_WRONLY_NOFOLLOW = 0o401101;
const MODE = 1;

export interface Replacement {
  readonly ino: number;
  readonly parent: number;
  readonly name: Uint8Array;
  /** The name it has until it is whole. */
  readonly passing: Uint8Array;
}

export function begin(gate: Gate, parent: number, name: Uint8Array): Replacement {
  const { raw } = gate;
  const there = gate.lookup(parent, name);
  const old = there === 0 ? undefined : gate.stat(there);
  const passing =
    old === undefined
      ? name
      : encodeName(`.replacing-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`);
  // A directory stays in the way: opening it for writing says so.
  const chosen = old !== undefined && old.mode >> 12 === TYPE.directory ? name : passing;
  const flags = O_CREAT_TRUNC_WRONLY_NOFOLLOW;
  const ino = raw.openFile(gate.put(chosen), parent, flags, 0o644, 0, 0);
  if (old !== undefined && old.mode >> 12 === TYPE.file) {
    raw.setattr(ino, MODE, old.mode & 0o7777, old.uid, old.gid, 0, 0, 0, 0);
  }
  return { ino, parent, name, passing: chosen };
}

/** Puts it in the place of what was there. */
export function commit(gate: Gate, { ino, parent, name, passing }: Replacement): void {
  const { raw } = gate;
  if (passing !== name) {
    const length = gate.put(passing);
    raw.rename(parent, length, parent, gate.put(name, length), 0);
  }
  raw.release(ino);
}

/** Takes it away again; what was there is untouched. */
export function withdraw(gate: Gate, { ino, parent, passing }: Replacement): void {
  try {
    gate.raw.unlink(parent, gate.put(passing));
    gate.raw.release(ino);
  } catch {
    // What made it necessary is what is told.
  }
}
