/**
 * What files have that `node:fs` has no call for: extended attributes, exact times, importance,
 * special files. Paths follow a final symbolic link unless `followSymlinks` is false.
 */

import type { PathLike } from 'node:fs';
import { checkInteger, checkPath, timeFromNanoseconds } from './fs/arguments.js';
import { setTimes } from './fs/names.js';
import type { Volume } from './fs/volume.js';

/** Whether a final symbolic link is followed; default true. */
export interface LinkOptions {
  followSymlinks?: boolean;
}

const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;

/** Attributes of the files of one map. */
export class Attributes {
  readonly #volume: Volume;

  /** @internal */
  constructor(volume: Volume) {
    this.#volume = volume;
  }

  /** @internal The inode at `path`. */
  resolve(path: PathLike, syscall: string, options: LinkOptions = {}): number {
    const { gate } = this.#volume;
    const checked = checkPath(path);
    return this.#volume.run(syscall, checked, () =>
      gate.resolve(checked, options.followSymlinks !== false),
    );
  }

  /** The value of an extended attribute. @throws ENODATA when there is none of that name */
  get(path: PathLike, name: string, options?: LinkOptions): Buffer {
    const { gate } = this.#volume;
    const ino = this.resolve(path, 'getxattr', options);
    return this.#volume.run('getxattr', path, () =>
      gate.take(gate.raw.getxattr(ino, gate.put(name))),
    );
  }

  /**
   * Sets an extended attribute.
   * @param options `create`: EEXIST if it is there; `replace`: ENODATA if it is not
   * @throws E2BIG, ERANGE for a value or name beyond the format's limits
   */
  set(
    path: PathLike,
    name: string,
    value: string | Uint8Array,
    options: LinkOptions & { create?: boolean; replace?: boolean } = {},
  ): void {
    const { gate } = this.#volume;
    const ino = this.resolve(path, 'setxattr', options);
    const bytes = typeof value === 'string' ? Buffer.from(value) : value;
    const flags =
      (options.create === true ? XATTR_CREATE : 0) | (options.replace === true ? XATTR_REPLACE : 0);
    this.#volume.run('setxattr', path, () => {
      const nameLength = gate.put(name);
      const valueLength = gate.put(bytes, nameLength);
      gate.raw.setxattr(ino, nameLength, valueLength, flags);
    });
  }

  /** Names of all extended attributes. */
  list(path: PathLike, options?: LinkOptions): string[] {
    const { gate } = this.#volume;
    const ino = this.resolve(path, 'listxattr', options);
    return this.#volume.run('listxattr', path, () => {
      const text = gate.take(gate.raw.listxattr(ino)).toString();
      return text === '' ? [] : text.replace(/\0$/, '').split('\0');
    });
  }

  /** Removes an extended attribute. @throws ENODATA when there is none of that name */
  remove(path: PathLike, name: string, options?: LinkOptions): void {
    const { gate } = this.#volume;
    const ino = this.resolve(path, 'removexattr', options);
    this.#volume.run('removexattr', path, () => {
      gate.raw.removexattr(ino, gate.put(name));
    });
  }

  /** Sets both times exactly, in nanoseconds since the epoch. */
  utimesNs(path: PathLike, atime: bigint, mtime: bigint, options?: LinkOptions): void {
    const ino = this.resolve(path, 'utime', options);
    this.#volume.run('utime', path, () => {
      setTimes(this.#volume, ino, timeFromNanoseconds(atime), timeFromNanoseconds(mtime));
    });
  }

  /** Makes a fifo, socket or device file; `mode` includes the file type. */
  mknod(path: PathLike, mode: number, device = 0): void {
    const { gate, identity } = this.#volume;
    const checked = checkPath(path);
    this.#volume.run('mknod', checked, () => {
      const parent = gate.resolveParent(checked);
      const { uid, gid, umask } = identity;
      gate.raw.mknod(parent, gate.raw.lastNameLength, mode & ~umask, uid, gid, device);
    });
  }

  /** The importance in force, 0 (coldest) to 255 (hottest): the file's own or its rule's. */
  importance(path: PathLike): number {
    const ino = this.resolve(path, 'importance');
    return this.#volume.run('importance', path, () => this.#volume.gate.raw.importance(ino));
  }

  /**
   * Gives a file an importance of its own, 0..255, or with null goes back to the rules. It decides
   * where data goes that is written from now on; {@link relocate} moves what is there.
   */
  setImportance(path: PathLike, importance: number | null): void {
    const value = importance === null ? -1 : checkInteger(importance, 'importance', 0, 255);
    const ino = this.resolve(path, 'importance');
    this.#volume.run('importance', path, () => {
      this.#volume.gate.raw.setImportance(ino, value);
    });
  }

  /** Rewrites a file's data at the distance that its importance asks for. */
  relocate(path: PathLike): void {
    const ino = this.resolve(path, 'relocate');
    this.#volume.run('relocate', path, () => {
      this.#volume.gate.raw.relocate(ino);
    });
  }
}
