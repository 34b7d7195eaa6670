/**
 * `fs.cp`: copies files, links and trees inside the map; file data is shared, not copied.
 *
 * One generator holds the rules. It yields what the caller's filter answered, so the synchronous
 * form can go straight on and the asynchronous one can wait for a promise.
 */

import { constants, type CopyOptions, type CopySyncOptions } from 'node:fs';
import { AetherFlowError, systemError } from '../errors.js';
import { checkOptions, checkPath, type CheckedPath } from './arguments.js';
import type { makeData } from './data.js';
import { type makeNames, setMode, setTimes, unlinkName } from './names.js';
import { makeDirectories } from './recursive.js';
import { isDirectoryMode, isLinkMode } from './stats.js';
import { STAT } from '../gate.js';
import type { Volume } from './volume.js';

type Data = ReturnType<typeof makeData>;
type Names = ReturnType<typeof makeNames>;
type Steps = Generator<unknown, void, unknown>;
type Options = Partial<CopyOptions>;

const S_IFMT = 0o170000;
const S_IFIFO = 0o010000;
const S_IFSOCK = 0o140000;

interface Found {
  readonly ino: number;
  readonly mode: number;
}

/** What `makeCopies` needs of the other parts. */
export interface CopyParts {
  readonly data: Data;
  readonly names: Names;
}

function join(directory: Buffer, name: Buffer): Buffer {
  const slash = directory.at(-1) === 0x2f ? '' : '/';
  return Buffer.concat([directory, Buffer.from(slash), name]);
}

function parentOf(path: Buffer): Buffer {
  const text = path.toString('latin1').replace(/(?<=.)\/+$/, '');
  const slash = text.lastIndexOf('/');
  return Buffer.from(slash < 0 ? '.' : slash === 0 ? '/' : text.slice(0, slash), 'latin1');
}

/** The copying functions of one volume. */
export function makeCopies(volume: Volume, { data, names }: CopyParts) {
  const { gate } = volume;

  function find(path: CheckedPath, follow: boolean): Found {
    const ino = gate.resolve(path, follow);
    return { ino, mode: gate.mode(ino) };
  }

  function findOptional(path: CheckedPath, follow: boolean): Found | undefined {
    try {
      return find(path, follow);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** True when the directory `ino` is `ancestor` or lies below it. */
  function isWithin(ino: number, ancestor: number): boolean {
    for (let at = ino; ; at = gate.raw.parent(at)) {
      if (at === ancestor) return true;
      if (at === gate.root) return false;
    }
  }

  function checkPair(source: Found, from: Buffer, target: Found | undefined, to: Buffer): void {
    const refuse = (code: string, errno: string, why: string): never => {
      throw systemError(code, errno, why, 'cp', to);
    };
    if (target !== undefined) {
      if (target.ino === source.ino) {
        refuse('ERR_FS_CP_EINVAL', 'EINVAL', 'src and dest cannot be the same');
      }
      const into = isDirectoryMode(target.mode);
      if (isDirectoryMode(source.mode) && !into) {
        const why = `Cannot overwrite non-directory ${to.toString()} with directory ${from.toString()}`;
        refuse('ERR_FS_CP_DIR_TO_NON_DIR', 'EISDIR', why);
      }
      if (!isDirectoryMode(source.mode) && into) {
        const why = `Cannot overwrite directory ${to.toString()} with non-directory ${from.toString()}`;
        refuse('ERR_FS_CP_NON_DIR_TO_DIR', 'ENOTDIR', why);
      }
    }
    if (!isDirectoryMode(source.mode)) return;
    // The nearest directory that exists above the target decides whether it lies in the source.
    for (let above = parentOf(to); ; above = parentOf(above)) {
      const directory = findOptional(above, true);
      if (directory === undefined) continue;
      if (isDirectoryMode(directory.mode) && isWithin(directory.ino, source.ino)) {
        refuse('ERR_FS_CP_EINVAL', 'EINVAL', 'Cannot copy a directory to a subdirectory of itself');
      }
      return;
    }
  }

  function copyTimes(from: number, to: number): void {
    gate.raw.stat(from);
    const { view } = gate;
    const nanos = (at: number): number => view.getUint32(at + 8, true);
    const atime = { seconds: gate.seconds(STAT.atime), nanoseconds: nanos(STAT.atime) };
    const mtime = { seconds: gate.seconds(STAT.mtime), nanoseconds: nanos(STAT.mtime) };
    setTimes(volume, to, atime, mtime);
  }

  function copyFile(
    from: Buffer,
    to: Buffer,
    source: Found,
    options: Options,
    exists: boolean,
  ): void {
    if (exists) {
      if (options.force === false) {
        if (options.errorOnExist === true) {
          throw systemError('ERR_FS_CP_EEXIST', 'EEXIST', 'Target already exists', 'cp', to);
        }
        return;
      }
      unlinkName(volume, to);
    }
    data.copyFileSync(from, to, (options.mode ?? 0) & ~constants.COPYFILE_EXCL);
    if (options.preserveTimestamps === true) copyTimes(source.ino, gate.resolve(to, false));
  }

  function copyLink(
    from: Buffer,
    to: Buffer,
    source: Found,
    options: Options,
    exists: boolean,
  ): void {
    let target: Buffer = gate.readlink(source.ino);
    if (options.verbatimSymlinks !== true && target[0] !== 0x2f) {
      target = join(names.realpathSync(parentOf(from), 'buffer') as unknown as Buffer, target);
    }
    if (exists) unlinkName(volume, to);
    names.symlinkSync(target, to, null);
  }

  function* copyAny(from: Buffer, to: Buffer, options: Options, top: boolean): Steps {
    if (options.filter !== undefined) {
      const wanted = yield options.filter(from.toString(), to.toString());
      if (wanted !== true && !wanted) return;
    }
    const source = find(from, options.dereference === true);
    const target = findOptional(to, options.dereference === true);
    checkPair(source, from, target, to);
    if (top) makeDirectories(volume, parentOf(to), 0o777);
    if (isDirectoryMode(source.mode)) {
      yield* copyDirectory(from, to, source, options, target !== undefined);
      return;
    }
    const kind = source.mode & S_IFMT;
    if (kind === S_IFIFO) {
      throw systemError('ERR_FS_CP_FIFO_PIPE', 'EINVAL', 'Cannot copy a FIFO pipe', 'cp', to);
    }
    if (kind === S_IFSOCK) {
      throw systemError('ERR_FS_CP_SOCKET', 'EINVAL', 'Cannot copy a socket file', 'cp', to);
    }
    if (isLinkMode(source.mode)) copyLink(from, to, source, options, target !== undefined);
    else copyFile(from, to, source, options, target !== undefined);
  }

  function* copyDirectory(
    from: Buffer,
    to: Buffer,
    source: Found,
    options: Options,
    exists: boolean,
  ): Steps {
    if (options.recursive !== true) {
      const why = `Recursive option not enabled, cannot copy a directory: ${from.toString()}`;
      throw systemError('ERR_FS_EISDIR', 'EISDIR', why, 'cp', from);
    }
    if (!exists) makeDirectories(volume, to, 0o777);
    for (const { name } of gate.entries(source.ino)) {
      yield* copyAny(join(from, name), join(to, name), options, false);
    }
    if (!exists) setMode(volume, gate.resolve(to, true), source.mode);
  }

  function steps(source: unknown, destination: unknown, options: unknown): Steps {
    const from = Buffer.from(checkPath(source, 'src'));
    const to = Buffer.from(checkPath(destination, 'dest'));
    return copyAny(from, to, checkOptions<CopyOptions>(options), true);
  }

  return {
    cpSync(source: unknown, destination: unknown, options?: CopySyncOptions): void {
      const work = steps(source, destination, options);
      volume.run(
        'cp',
        source,
        () => {
          let step = work.next();
          while (step.done !== true) {
            if (step.value instanceof Promise) {
              throw new AetherFlowError('EINVAL', {
                sentence: 'cpSync needs a synchronous filter',
              });
            }
            step = work.next(step.value);
          }
        },
        destination,
      );
    },

    async cpAsync(source: unknown, destination: unknown, options?: CopyOptions): Promise<void> {
      const work = steps(source, destination, options);
      let answer: unknown;
      for (;;) {
        const step = volume.run('cp', source, () => work.next(answer), destination);
        if (step.done === true) return;
        answer = await step.value;
      }
    },
  };
}
