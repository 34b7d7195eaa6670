/** `cp`: copies inside a map that share their data until one of them is changed. */
import type { Command } from 'commander';

import { command, outputOf, WRITE_EXITS } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { attempt, Failure } from '../failure.js';
import { type CommonOptions, humanSize, plural } from '../output.js';
import {
  type Attributes,
  isDirectory,
  isFile,
  isLink,
  joinPath,
  type Session,
  withSession,
} from '../session.js';
import { intoDirectory, type Target, targetsOf } from './mv.js';
import { group, owner, umask } from './put.js';

interface Options extends CommonOptions {
  recursive?: boolean;
  preserve?: boolean;
  clobber: boolean;
}

interface Totals {
  files: number;
  directories: number;
  bytes: number;
}

export function define(): Command {
  return command('cp', 'Copy files inside a map, without copying their data', {
    json: {
      map: 'the map',
      files: 'files copied',
      directories: 'directories copied',
      bytes: 'bytes that are shared',
    },
    exits: WRITE_EXITS,
    notes: 'A copy shares its data with the original; what is changed later is stored once more.',
    examples: [
      ['aetherflow cp map.rts.png /disk.img /disk-2.img', 'a file of any size, at once'],
      ['aetherflow cp -rp map.rts.png /www /www-old', 'a tree, with owners and times'],
    ],
  })
    .argument('<map>', 'the map')
    .argument('<path...>', 'paths in the map; the last one is where to')
    .option('-r, --recursive', 'directories and all below them')
    .option('-p, --preserve', 'keep owners and times')
    .option('-n, --no-clobber', 'refuse to replace an existing file')
    .action(run);
}

async function run(map: string, paths: string[], options: Options): Promise<void> {
  const output = outputOf(options);
  const totals: Totals = { files: 0, directories: 0, bytes: 0 };
  await withSession(map, 'r+', (session) => {
    const { sources, destination, into } = intoDirectory(session, paths, 'copy');
    for (const target of targetsOf(session, sources, destination, into)) {
      copy(session, target, options, totals);
    }
    attempt('cannot write to', map, () => {
      session.raw.sync();
    });
  });
  if (output.json) output.document({ map, ...totals });
  output.done(`copied ${plural(totals.files, 'file')}, ${humanSize(totals.bytes)} shared`);
}

function copy(session: Session, target: Target, options: Options, totals: Totals): void {
  const attributes = session.stat(target.ino);
  if (!isDirectory(attributes.mode)) {
    copyLeaf(session, target, attributes, options, totals);
    return;
  }
  if (options.recursive !== true) {
    throw new Failure(
      EXIT.usage,
      'cannot copy',
      session.where(target.source),
      'it is a directory',
      'add -r to copy it with all below it',
      { reason: 'is-a-directory', code: 'EISDIR' },
    );
  }
  if (isInside(session, target.parent, target.ino)) {
    throw new Failure(
      EXIT.usage,
      'cannot copy',
      session.where(target.source),
      'the destination lies inside of it',
      'choose another destination',
      { reason: 'invalid', code: 'EINVAL' },
    );
  }
  // Copies by path inside the source; parents come before their children.
  const made = new Map<string, number>();
  const finished: { ino: number; attributes: Attributes }[] = [];
  const directory = (node: Target, from: Attributes): number => {
    const there = session.gate.lookup(node.parent, node.name);
    const ino =
      there === 0
        ? session.mkdir(node.parent, node.name, from.mode & 0o7777, owner(), group())
        : there;
    if (!isDirectory(session.stat(ino).mode)) throw existsInMap(session, node.shown);
    totals.directories += 1;
    copyXattrs(session, node.ino, ino);
    finished.push({ ino, attributes: from });
    return ino;
  };
  made.set('', directory(target, attributes));
  const below = [...session.walk(target.ino, Buffer.alloc(0))];
  for (const node of below) {
    const parentPath = node.path.subarray(0, node.path.lastIndexOf(0x2f));
    const parent = made.get(parentPath.toString('latin1'));
    if (parent === undefined) continue;
    const from = session.stat(node.ino);
    const next: Target = {
      ino: node.ino,
      source: joinPath(target.source, node.path.subarray(1)),
      parent,
      name: node.name,
      shown: joinPath(target.shown, node.path.subarray(1)),
    };
    if (isDirectory(from.mode)) made.set(node.path.toString('latin1'), directory(next, from));
    else copyLeaf(session, next, from, options, totals);
  }
  if (options.preserve !== true) return;
  for (const { ino, attributes: from } of finished.reverse()) keep(session, ino, from);
}

function copyLeaf(
  session: Session,
  target: Target,
  from: Attributes,
  options: Options,
  totals: Totals,
): void {
  const there = session.gate.lookup(target.parent, target.name);
  if (there === target.ino) {
    throw new Failure(
      EXIT.exists,
      'cannot copy',
      session.where(target.source),
      'source and destination are the same file',
      'choose another name',
      { reason: 'invalid', code: 'EINVAL' },
    );
  }
  attempt('cannot copy to', session.where(target.shown), () => {
    if (there !== 0) {
      if (!options.clobber || isDirectory(session.stat(there).mode)) {
        throw existsInMap(session, target.shown);
      }
      session.unlink(target.parent, target.name);
    }
    const mode = options.preserve === true ? from.mode & 0o7777 : from.mode & 0o777 & ~umask();
    let ino: number;
    if (isFile(from.mode)) {
      ino = session.create(target.parent, target.name, mode, owner(), group());
      if (from.size > 0) session.raw.cloneRange(target.ino, 0, ino, 0, from.size);
      totals.bytes += from.size;
    } else if (isLink(from.mode)) {
      const to = session.readlink(target.ino);
      ino = session.symlink(target.parent, target.name, to, owner(), group());
    } else {
      ino = session.mknod(target.parent, target.name, from.mode, owner(), group(), from.rdev);
    }
    copyXattrs(session, target.ino, ino);
    if (options.preserve === true) keep(session, ino, from);
    totals.files += 1;
  });
}

function keep(session: Session, ino: number, from: Attributes): void {
  session.setOwner(ino, from.mode, from.uid, from.gid);
  session.setTimes(ino, from.atime, from.mtime);
}

function copyXattrs(session: Session, from: number, to: number): void {
  for (const name of session.attributeNames(from)) {
    session.setAttribute(to, name, session.attribute(from, name));
  }
}

/** True where `ino` is `directory` or lies below it. */
function isInside(session: Session, ino: number, directory: number): boolean {
  for (let at = ino, steps = 0; steps < 4096; steps += 1) {
    if (at === directory) return true;
    const up = session.raw.parent(at);
    if (up === at) return false;
    at = up;
  }
  return false;
}

function existsInMap(session: Session, path: Buffer): Failure {
  return new Failure(
    EXIT.exists,
    'cannot write',
    session.where(path),
    'it exists already',
    'remove it first, or choose another name',
    { reason: 'exists', code: 'EEXIST' },
  );
}
