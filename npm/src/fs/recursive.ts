/**
 * Calls on whole trees: mkdir -p, recursive listing, rm -r. By inode and name bytes, with lists
 * instead of recursion, so neither odd names nor deep trees trouble them.
 */

import type { NoParamCallback, RmDirOptions, RmOptions } from 'node:fs';
import { AetherFlowError, systemError } from '../errors.js';
import { DT } from '../gate.js';
import { checkOptions, checkPath, encode, type CheckedPath } from './arguments.js';
import type { Like, NodeFs } from './node-types.js';
import { direntOf, isDirectoryMode, type Dirent } from './stats.js';
import type { Volume } from './volume.js';

const SLASH = 0x2f;

function codeOf(error: unknown): unknown {
  return (error as NodeJS.ErrnoException).code;
}

/** Every prefix of `path` that ends before a slash, and `path` itself, shortest first. */
function prefixes(path: Buffer): Buffer[] {
  const list: Buffer[] = [];
  for (let at = 1; at < path.length; at += 1) {
    if (path[at] === SLASH && path[at - 1] !== SLASH) list.push(path.subarray(0, at));
  }
  if (path.at(-1) !== SLASH) list.push(path);
  return list;
}

/**
 * Makes `path` and the directories above it that are missing.
 * @returns the first one made, or undefined when all were there
 */
export function makeDirectories(
  volume: Volume,
  path: CheckedPath,
  mode: number,
): string | undefined {
  const { gate } = volume;
  const { uid, gid, umask } = volume.identity;
  if (path.length === 0) throw new AetherFlowError('ENOENT');
  const steps = prefixes(Buffer.from(path));
  let present = steps.length;
  for (; present > 0; present -= 1) {
    const step = steps[present - 1];
    if (step === undefined) break;
    const found = probe(volume, step);
    if (found === undefined) continue;
    if (found) break;
    throw new AetherFlowError(present === steps.length ? 'EEXIST' : 'ENOTDIR');
  }
  let first: string | undefined;
  for (const step of steps.slice(present)) {
    try {
      const parent = gate.resolveParent(step);
      gate.raw.mkdir(parent, gate.raw.lastNameLength, mode & ~umask, uid, gid);
      first ??= step.toString();
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      const found = probe(volume, step);
      // A link that leads nowhere is in the way and yet no directory.
      if (found === undefined) throw new AetherFlowError('ENOENT');
      if (!found) throw error;
    }
  }
  return first;
}

/** True for a directory, false for another file, undefined when absent. */
function probe(volume: Volume, path: Buffer): boolean | undefined {
  try {
    return isDirectoryMode(volume.gate.mode(volume.gate.resolve(path, true)));
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return undefined;
    if (code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** All names below a directory, nearest first; symbolic links are listed and not followed. */
export function readTree(
  volume: Volume,
  root: number,
  shown: string,
  encoding: BufferEncoding | 'buffer',
  withTypes: boolean,
): (string | Buffer)[] | Dirent<string | Buffer>[] {
  const names: (string | Buffer)[] = [];
  const entries: Dirent<string | Buffer>[] = [];
  const queue: { ino: number; prefix: string }[] = [{ ino: root, prefix: '' }];
  const base = shown.replace(/(?<=.)\/+$/, '');
  for (let next = 0; next < queue.length; next += 1) {
    const directory = queue[next];
    if (directory === undefined) break;
    const { ino, prefix } = directory;
    const parentPath = prefix === '' ? shown : `${base === '/' ? '' : base}/${prefix.slice(0, -1)}`;
    for (const entry of volume.gate.entries(ino)) {
      const name = `${prefix}${entry.name.toString('latin1')}`;
      if (withTypes) entries.push(direntOf(entry, asText(parentPath), encoding));
      else names.push(encode(Buffer.from(name, 'latin1'), encoding));
      if (entry.type === DT.DIR) queue.push({ ino: entry.ino, prefix: `${name}/` });
    }
  }
  return withTypes ? entries : names;
}

/** A path whose parts below the start are byte strings, as UTF-8 text. */
function asText(path: string): string {
  return /^[\0-\x7f]*$/.test(path) ? path : Buffer.from(path, 'latin1').toString();
}

interface Step {
  readonly parent: number;
  readonly name: Buffer;
  readonly ino: number;
  listed: boolean;
}

/** Removes the directory `ino`, which is `name` in `parent`, with everything below it. */
export function removeTree(volume: Volume, parent: number, name: Buffer, ino: number): void {
  const { gate } = volume;
  const stack: Step[] = [{ parent, name, ino, listed: false }];
  for (let step = stack.at(-1); step !== undefined; step = stack.at(-1)) {
    if (step.listed) {
      stack.pop();
      gate.raw.rmdir(step.parent, gate.put(step.name));
      continue;
    }
    step.listed = true;
    for (const entry of gate.entries(step.ino)) {
      if (entry.type === DT.DIR) {
        stack.push({ parent: step.ino, name: entry.name, ino: entry.ino, listed: false });
      } else {
        gate.raw.unlink(step.ino, gate.put(entry.name));
      }
    }
  }
}

/** The removing functions of one volume. */
export function makeRemovals(volume: Volume) {
  const { gate } = volume;

  function removeDirectory(path: CheckedPath): void {
    const parent = gate.resolveParent(path);
    gate.raw.rmdir(parent, gate.raw.lastNameLength);
  }

  function rmSync(path: unknown, options?: RmOptions): void {
    const { force, recursive } = checkOptions<RmOptions>(options);
    const checked = checkPath(path);
    let ino: number;
    let directory: boolean;
    try {
      ino = gate.resolve(checked, false);
      directory = isDirectoryMode(gate.mode(ino));
    } catch (error) {
      if (force === true && codeOf(error) === 'ENOENT') return;
      volume.run('lstat', checked, () => {
        throw error;
      });
      return;
    }
    if (directory && recursive !== true) {
      throw systemError('ERR_FS_EISDIR', 'EISDIR', 'Path is a directory', 'rm', checked);
    }
    volume.run('rm', checked, () => {
      const parent = gate.resolveParent(checked);
      const name = gate.lastName();
      if (directory) removeTree(volume, parent, name, ino);
      else gate.raw.unlink(parent, name.length);
    });
  }

  return {
    rmSync,

    rmdirSync(path, options?: RmDirOptions | NoParamCallback) {
      const { recursive } = checkOptions<{ recursive: boolean }>(options);
      const checked = checkPath(path);
      volume.run('rmdir', checked, () => {
        if (recursive !== true || !isDirectoryMode(gate.mode(gate.resolve(checked, false)))) {
          removeDirectory(checked);
          return;
        }
        rmSync(checked, { recursive: true });
      });
    },
  } satisfies Like<NodeFs, 'rmSync' | 'rmdirSync'>;
}
