/**
 * Names and attributes: access, stat, links, directories, owners, modes, times, renames.
 */

import { randomBytes } from 'node:crypto';
import * as nodeFs from 'node:fs';
import { AetherFlowError, fail } from '../errors.js';
import {
  checkEncoding,
  checkId,
  checkInteger,
  checkMode,
  checkOptions,
  checkPath,
  checkTime,
  encode,
  type CheckedPath,
  type OptionsArgument,
  type Time,
} from './arguments.js';
import type { Like, NodeFs } from './node-types.js';
import { realPath } from './realpath.js';
import { makeDirectories, readTree } from './recursive.js';
import { direntOf, isDirectoryMode, StatsFs, statsOf } from './stats.js';
import type { Volume } from './volume.js';

/** Bits of `setattr`'s mask. */
const SET = { mode: 1, uid: 2, gid: 4, atime: 8, mtime: 16 } as const;
const NAME_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

interface StatArguments {
  bigint: boolean;
  throwIfNoEntry: boolean;
}

interface ListingOptions {
  encoding: BufferEncoding | 'buffer' | null;
  withFileTypes: boolean;
  recursive: boolean;
}

interface DirectoryOptions {
  recursive: boolean;
  mode: number | string;
}

type Names =
  | 'accessSync'
  | 'chmodSync'
  | 'chownSync'
  | 'existsSync'
  | 'fchmodSync'
  | 'fchownSync'
  | 'fstatSync'
  | 'futimesSync'
  | 'lchownSync'
  | 'linkSync'
  | 'lstatSync'
  | 'lutimesSync'
  | 'mkdirSync'
  | 'mkdtempSync'
  | 'readdirSync'
  | 'readlinkSync'
  | 'realpathSync'
  | 'renameSync'
  | 'statSync'
  | 'statfsSync'
  | 'symlinkSync'
  | 'unlinkSync'
  | 'utimesSync';

/** Sets both times of an inode. */
export function setTimes(volume: Volume, ino: number, atime: Time, mtime: Time): void {
  volume.gate.raw.setattr(
    ino,
    SET.atime | SET.mtime,
    0,
    0,
    0,
    atime.seconds,
    atime.nanoseconds,
    mtime.seconds,
    mtime.nanoseconds,
  );
}

/** Sets the permission bits of an inode. */
export function setMode(volume: Volume, ino: number, mode: number): void {
  volume.gate.raw.setattr(ino, SET.mode, mode & 0o7777, 0, 0, 0, 0, 0, 0);
}

/** Sets owner and group of an inode; -1 leaves one as it is. */
export function setOwner(volume: Volume, ino: number, uid: number, gid: number): void {
  const mask = (uid === -1 ? 0 : SET.uid) | (gid === -1 ? 0 : SET.gid);
  const owner = Math.max(0, uid);
  const group = Math.max(0, gid);
  if (mask !== 0) volume.gate.raw.setattr(ino, mask, 0, owner, group, 0, 0, 0, 0);
}

/** Removes one name that is not a directory. */
export function unlinkName(volume: Volume, path: CheckedPath): void {
  const { gate } = volume;
  const parent = gate.resolveParent(path);
  gate.raw.unlink(parent, gate.raw.lastNameLength);
}

/** The functions on names and attributes of one volume. */
export function makeNames(volume: Volume) {
  const { gate } = volume;

  function stat(path: unknown, options: unknown, follow: boolean, syscall: string) {
    const checked = checkPath(path);
    const { bigint, throwIfNoEntry } =
      options === undefined ? {} : checkOptions<StatArguments>(options);
    let found: number;
    try {
      found = gate.raw.statPath(gate.put(checked), gate.root, follow);
    } catch (error) {
      throw fail(error, syscall, checked);
    }
    if (found === 0) {
      if (throwIfNoEntry === false) return undefined;
      throw new AetherFlowError('ENOENT', { syscall, path: checked });
    }
    return statsOf(gate, volume.dev, bigint);
  }

  /** Runs `change` on the inode at `path`. */
  function onPath(
    syscall: string,
    path: unknown,
    follow: boolean,
    change: (ino: number) => void,
  ): void {
    const checked = checkPath(path);
    volume.run(syscall, checked, () => {
      change(gate.resolve(checked, follow));
    });
  }

  /** Runs `change` on the inode of a descriptor. */
  function onDescriptor(syscall: string, fd: unknown, change: (ino: number) => void): void {
    const { ino } = volume.file(fd, syscall);
    volume.run(syscall, undefined, () => {
      change(ino);
    });
  }

  function checkAccess(ino: number, wanted: number): void {
    const permissions = gate.mode(ino);
    if ((wanted & nodeFs.constants.W_OK) !== 0 && gate.readOnly) throw new AetherFlowError('EROFS');
    const needsExecute = (wanted & nodeFs.constants.X_OK) !== 0;
    if (needsExecute && !isDirectoryMode(permissions) && (permissions & 0o111) === 0) {
      throw new AetherFlowError('EACCES');
    }
  }

  return {
    accessSync(path, mode) {
      const wanted = mode === undefined ? 0 : checkInteger(mode, 'mode', 0, 7);
      onPath('access', path, true, (ino) => {
        checkAccess(ino, wanted);
      });
    },

    existsSync(path) {
      try {
        return gate.raw.statPath(gate.put(checkPath(path)), gate.root, true) !== 0;
      } catch {
        return false;
      }
    },

    statSync(path, options?: unknown) {
      return stat(path, options, true, 'stat');
    },

    lstatSync(path, options?: unknown) {
      return stat(path, options, false, 'lstat');
    },

    fstatSync(fd, options?: unknown) {
      const { ino } = volume.file(fd, 'fstat');
      const { bigint } = checkOptions<StatArguments>(options);
      return volume.run('fstat', undefined, () => {
        gate.raw.stat(ino);
        return statsOf(gate, volume.dev, bigint);
      });
    },

    statfsSync(path, options?: unknown) {
      const { bigint } = checkOptions<StatArguments>(options);
      const checked = checkPath(path);
      return volume.run('statfs', checked, (): nodeFs.StatsFs | nodeFs.BigIntStatsFs => {
        gate.resolve(checked, true);
        return bigint === true ? new StatsFs(gate, BigInt) : new StatsFs(gate, Number);
      });
    },

    chmodSync(path, mode) {
      const bits = checkMode(mode, 'mode');
      onPath('chmod', path, true, (ino) => {
        setMode(volume, ino, bits);
      });
    },

    fchmodSync(fd, mode) {
      const bits = checkMode(mode, 'mode');
      onDescriptor('fchmod', fd, (ino) => {
        setMode(volume, ino, bits);
      });
    },

    chownSync(path, uid, gid) {
      const [owner, group] = [checkId(uid, 'uid'), checkId(gid, 'gid')];
      onPath('chown', path, true, (ino) => {
        setOwner(volume, ino, owner, group);
      });
    },

    lchownSync(path, uid, gid) {
      const [owner, group] = [checkId(uid, 'uid'), checkId(gid, 'gid')];
      onPath('lchown', path, false, (ino) => {
        setOwner(volume, ino, owner, group);
      });
    },

    fchownSync(fd, uid, gid) {
      const [owner, group] = [checkId(uid, 'uid'), checkId(gid, 'gid')];
      onDescriptor('fchown', fd, (ino) => {
        setOwner(volume, ino, owner, group);
      });
    },

    utimesSync(path, atime, mtime) {
      const [accessed, modified] = [checkTime(atime, 'atime'), checkTime(mtime, 'mtime')];
      onPath('utime', path, true, (ino) => {
        setTimes(volume, ino, accessed, modified);
      });
    },

    lutimesSync(path, atime, mtime) {
      const [accessed, modified] = [checkTime(atime, 'atime'), checkTime(mtime, 'mtime')];
      onPath('lutime', path, false, (ino) => {
        setTimes(volume, ino, accessed, modified);
      });
    },

    futimesSync(fd, atime, mtime) {
      const [accessed, modified] = [checkTime(atime, 'atime'), checkTime(mtime, 'mtime')];
      onDescriptor('futime', fd, (ino) => {
        setTimes(volume, ino, accessed, modified);
      });
    },

    linkSync(existing, created) {
      const from = checkPath(existing, 'existingPath');
      const to = checkPath(created, 'newPath');
      volume.run(
        'link',
        from,
        () => {
          const ino = gate.resolve(from, false);
          const parent = gate.resolveParent(to);
          const name = gate.lastName();
          // Linux looks at the new name before it looks at the kind of the old one.
          if (gate.lookup(parent, name) !== 0) throw new AetherFlowError('EEXIST');
          gate.put(name);
          gate.raw.link(ino, parent, gate.raw.lastNameLength);
        },
        to,
      );
    },

    symlinkSync(target, path, _type) {
      const to = checkPath(target, 'target');
      const checked = checkPath(path);
      const { uid, gid } = volume.identity;
      volume.run(
        'symlink',
        to,
        () => {
          if (to.length === 0) throw new AetherFlowError('ENOENT');
          const parent = gate.resolveParent(checked);
          const nameLength = gate.raw.lastNameLength;
          const targetLength = gate.put(to, nameLength);
          gate.raw.symlink(parent, nameLength, targetLength, uid, gid);
        },
        checked,
      );
    },

    readlinkSync(path, options?: OptionsArgument) {
      const { encoding } = checkOptions<ListingOptions>(options);
      const form = checkEncoding(encoding, 'utf8');
      const checked = checkPath(path);
      return volume.run('readlink', checked, () =>
        encode(gate.readlink(gate.resolve(checked, false)), form),
      );
    },

    unlinkSync(path) {
      const checked = checkPath(path);
      try {
        unlinkName(volume, checked);
      } catch (error) {
        throw fail(error, 'unlink', checked);
      }
    },

    renameSync(from, to) {
      const source = checkPath(from, 'oldPath');
      const target = checkPath(to, 'newPath');
      volume.run(
        'rename',
        source,
        () => {
          const oldParent = gate.resolveParent(source);
          const oldName = gate.lastName();
          const newParent = gate.resolveParent(target);
          const newName = gate.lastName();
          gate.put(oldName);
          gate.put(newName, oldName.length);
          gate.raw.rename(oldParent, oldName.length, newParent, newName.length, 0);
        },
        target,
      );
    },

    mkdirSync(path, options?: unknown) {
      const given =
        typeof options === 'number' || typeof options === 'string'
          ? { mode: options }
          : checkOptions<DirectoryOptions>(options);
      const mode = checkMode(given.mode, 'mode', 0o777);
      const checked = checkPath(path);
      if ('recursive' in given && given.recursive) {
        return volume.run('mkdir', checked, () => makeDirectories(volume, checked, mode));
      }
      const { uid, gid, umask } = volume.identity;
      try {
        const parent = gate.resolveParent(checked);
        gate.raw.mkdir(parent, gate.raw.lastNameLength, mode & ~umask, uid, gid);
      } catch (error) {
        throw fail(error, 'mkdir', checked);
      }
      return undefined;
    },

    mkdtempSync(prefix, options?: OptionsArgument) {
      const { encoding } = checkOptions<ListingOptions>(options);
      const form = checkEncoding(encoding, 'utf8');
      const start = Buffer.from(checkPath(prefix, 'prefix'));
      return volume.run('mkdtemp', `${start.toString()}XXXXXX`, () => {
        for (;;) {
          const random = Array.from(
            randomBytes(6),
            (byte) => NAME_CHARACTERS[byte % NAME_CHARACTERS.length],
          );
          const path = Buffer.concat([start, Buffer.from(random.join(''))]);
          try {
            const parent = gate.resolveParent(path);
            const { uid, gid } = volume.identity;
            gate.raw.mkdir(parent, gate.raw.lastNameLength, 0o700, uid, gid);
            return encode(path, form);
          } catch (error) {
            if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
          }
        }
      });
    },

    readdirSync(path, options?: OptionsArgument) {
      const given = checkOptions<ListingOptions>(options);
      const encoding = checkEncoding(given.encoding, 'utf8');
      const checked = checkPath(path);
      return volume.run('scandir', checked, () => {
        const shown = typeof checked === 'string' ? checked : Buffer.from(checked).toString();
        const ino = gate.resolve(checked, true);
        if (given.recursive === true) {
          return readTree(volume, ino, shown, encoding, given.withFileTypes === true);
        }
        const entries = gate.entries(ino);
        return given.withFileTypes === true
          ? entries.map((entry) => direntOf(entry, shown, encoding))
          : entries.map((entry) => encode(entry.name, encoding));
      }) as never;
    },

    realpathSync(path, options?: OptionsArgument) {
      const { encoding } = checkOptions<ListingOptions>(options);
      const form = checkEncoding(encoding, 'utf8');
      const checked = checkPath(path);
      return volume.run('lstat', checked, () => encode(realPath(gate, checked), form));
    },
  } satisfies Like<NodeFs, Names>;
}
