/**
 * What all filesystem calls on one map share: the engine, the caller's identity, open files.
 */

import type { Gate } from '../gate.js';
import { AetherFlowError, fail } from '../errors.js';
import { checkInteger, O } from './arguments.js';

/** Descriptors start here, so they are never mistaken for the process's own. */
export const FIRST_DESCRIPTOR = 1_000_000;

/** Who creates files, and with which rights. */
export interface Identity {
  uid: number;
  gid: number;
  /** Mode bits taken away from new files and directories. */
  umask: number;
}

/** An open file description. */
export interface OpenFile {
  readonly ino: number;
  /** Linux open flags. */
  readonly flags: number;
  /** Bytes from the start, for calls without a position. */
  position: number;
}

let deviceCount = 0;

/** The state behind one `map.fs`. */
export class Volume {
  readonly gate: Gate;
  readonly identity: Identity;
  /** Device number in stats: differs between maps of one process. */
  readonly dev: number;
  readonly #files: (OpenFile | undefined)[] = [];
  readonly #free: number[] = [];

  constructor(gate: Gate, identity: Identity) {
    this.gate = gate;
    this.identity = identity;
    deviceCount += 1;
    this.dev = 0x4145_0000 + deviceCount;
  }

  /** Files open now. */
  get openCount(): number {
    return this.#files.length - this.#free.length;
  }

  /** Opens `path` with Linux flags and gives it a descriptor. */
  open(path: string | Uint8Array, flags: number, mode: number): number {
    const ino = this.openInode(path, flags, mode);
    return this.addFile({ ino, flags, position: 0 });
  }

  /** Opens `path` and counts its inode as open; the caller releases it. */
  openInode(path: string | Uint8Array, flags: number, mode: number): number {
    if (path.length === 0) throw new AetherFlowError('ENOENT', { syscall: 'open', path });
    const { gate, identity } = this;
    const length = gate.put(path);
    const { uid, gid, umask } = identity;
    return gate.raw.openFile(length, gate.root, flags, mode & ~umask, uid, gid);
  }

  addFile(file: OpenFile): number {
    const slot = this.#free.pop() ?? this.#files.length;
    this.#files[slot] = file;
    return FIRST_DESCRIPTOR + slot;
  }

  /** The open file of a descriptor. */
  file(descriptor: unknown, syscall: string): OpenFile {
    const checked = checkInteger(descriptor, 'fd', 0, 2 ** 31 - 1);
    const file = this.#files[checked - FIRST_DESCRIPTOR];
    if (file === undefined) throw new AetherFlowError('EBADF', { syscall });
    return file;
  }

  /** The open file of a descriptor that may be read. */
  readable(descriptor: unknown, syscall: string): OpenFile {
    const file = this.file(descriptor, syscall);
    if ((file.flags & O.ACCMODE) === O.WRONLY) throw new AetherFlowError('EBADF', { syscall });
    return file;
  }

  /** The open file of a descriptor that may be written. */
  writable(descriptor: unknown, syscall: string): OpenFile {
    const file = this.file(descriptor, syscall);
    if ((file.flags & O.ACCMODE) === 0) throw new AetherFlowError('EBADF', { syscall });
    return file;
  }

  close(descriptor: unknown): void {
    const file = this.file(descriptor, 'close');
    const slot = (descriptor as number) - FIRST_DESCRIPTOR;
    this.#files[slot] = undefined;
    this.#free.push(slot);
    this.run('close', undefined, () => {
      this.gate.raw.release(file.ino);
    });
  }

  /** Closes whatever is still open, before the map itself closes. */
  closeAll(): void {
    for (const file of this.#files) if (file !== undefined) this.gate.raw.release(file.ino);
    this.#files.length = 0;
    this.#free.length = 0;
  }

  /** Runs `action`; what it throws becomes a Node error of this call and path. */
  run<T>(syscall: string, path: unknown, action: () => T, dest?: unknown): T {
    try {
      return action();
    } catch (error) {
      throw fail(error, syscall, path, dest);
    }
  }
}
