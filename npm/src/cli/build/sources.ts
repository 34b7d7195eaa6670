/** Source trees with their extended attributes, for `build` and `put`. */
import * as fs from 'node:fs';

import type { Output } from '../output.js';
import type { Timestamp } from '../session.js';
import {
  type HostName,
  type SourceTree,
  timestampOf,
  walkSource,
  type WalkOptions,
} from './walker.js';
import { type HostAttributes, readAttributes } from './xattrs.js';

export interface HostTreeOptions extends WalkOptions {
  readonly xattrs: boolean;
  readonly output: Output;
}

/** Attributes by path, as they come in; undefined where there is no way to read them. */
export type AttributesToCome = Promise<Map<string, HostAttributes> | undefined>;

/**
 * Walks a host directory. Its extended attributes are read by another process meanwhile and are
 * there when the promise is.
 */
export function hostTree(
  source: HostName,
  options: HostTreeOptions,
): { tree: SourceTree; attributes: AttributesToCome } {
  // A source that is not there must not look like a getfattr that is not there.
  fs.accessSync(source);
  const reading = options.xattrs ? readAttributes(source) : Promise.resolve(undefined);
  const attributes = reading.then((found) => {
    if (found === undefined && options.xattrs) {
      options.output.note('extended attributes left out: getfattr (package attr) is not installed');
    }
    return found;
  });
  return { tree: walkSource(source, options), attributes };
}

/** What a single host file brings along into a map. */
export function fileFacts(stat: fs.BigIntStats): {
  mode: number;
  uid: number;
  gid: number;
  atime: Timestamp;
  mtime: Timestamp;
} {
  return {
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    atime: timestampOf(stat.atimeNs),
    mtime: timestampOf(stat.mtimeNs),
  };
}
