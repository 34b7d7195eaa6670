/**
 * Node's own signatures as the measure of ours.
 *
 * `Like` takes the last (most general) overload of each function of `node:fs`; the implementations
 * are checked against it with `satisfies`, and callers see Node's full overloads.
 */

import type * as nodeFs from 'node:fs';
import type { Dir } from './dir.js';
import type { BigIntStats, Dirent, Stats } from './stats.js';

export type NodeFs = typeof nodeFs;
export type NodePromises = NodeFs['promises'];

type AnyFunction = (...args: never[]) => unknown;

/** For each name, a function that takes and gives what Node's does. */
export type Like<Source, Name extends keyof Source> = {
  [K in Name]: Source[K] extends AnyFunction
    ? (...args: Parameters<Source[K]>) => ReturnType<Source[K]>
    : never;
};

export type SyncName =
  | 'accessSync'
  | 'appendFileSync'
  | 'chmodSync'
  | 'chownSync'
  | 'closeSync'
  | 'copyFileSync'
  | 'cpSync'
  | 'existsSync'
  | 'fchmodSync'
  | 'fchownSync'
  | 'fdatasyncSync'
  | 'fstatSync'
  | 'fsyncSync'
  | 'ftruncateSync'
  | 'futimesSync'
  | 'lchownSync'
  | 'linkSync'
  | 'lstatSync'
  | 'lutimesSync'
  | 'mkdirSync'
  | 'mkdtempSync'
  | 'openSync'
  | 'opendirSync'
  | 'readFileSync'
  | 'readSync'
  | 'readdirSync'
  | 'readlinkSync'
  | 'readvSync'
  | 'realpathSync'
  | 'renameSync'
  | 'rmSync'
  | 'rmdirSync'
  | 'statSync'
  | 'statfsSync'
  | 'symlinkSync'
  | 'truncateSync'
  | 'unlinkSync'
  | 'utimesSync'
  | 'writeFileSync'
  | 'writeSync'
  | 'writevSync';

export type SyncFs = Pick<NodeFs, SyncName>;

type Base<Name extends string> = Name extends `${infer Stem}Sync` ? Stem : never;
export type CallbackName = Base<SyncName>;
export type CallbackFs = Pick<NodeFs, CallbackName>;

export type PromiseName =
  | 'access'
  | 'appendFile'
  | 'chmod'
  | 'chown'
  | 'copyFile'
  | 'cp'
  | 'lchown'
  | 'link'
  | 'lstat'
  | 'lutimes'
  | 'mkdir'
  | 'mkdtemp'
  | 'open'
  | 'opendir'
  | 'readFile'
  | 'readdir'
  | 'readlink'
  | 'realpath'
  | 'rename'
  | 'rm'
  | 'rmdir'
  | 'stat'
  | 'statfs'
  | 'symlink'
  | 'truncate'
  | 'unlink'
  | 'utimes'
  | 'writeFile';

/** `map.fs.promises`. */
export type PromisesFs = Pick<NodePromises, PromiseName | 'constants'>;

type StreamName = 'createReadStream' | 'createWriteStream' | 'ReadStream' | 'WriteStream';

/** `map.fs`: the part of `node:fs` that a map offers. */
export interface MapFs extends SyncFs, CallbackFs, Pick<NodeFs, StreamName | 'constants'> {
  readonly promises: PromisesFs;
  readonly Stats: typeof Stats;
  readonly BigIntStats: typeof BigIntStats;
  readonly Dirent: typeof Dirent;
  readonly Dir: typeof Dir;
  readonly F_OK: number;
  readonly R_OK: number;
  readonly W_OK: number;
  readonly X_OK: number;
}
