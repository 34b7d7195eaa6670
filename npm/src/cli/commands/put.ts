/** `put`: files of the host into a map. */
import * as fs from 'node:fs';
import type { Command } from 'commander';

import { fileFacts, hostTree } from '../build/sources.js';
import type { SourceTree } from '../build/walker.js';
import { command, integer, outputOf, WRITE_EXITS } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { attempt, Failure } from '../failure.js';
import { type CommonOptions, humanSize, type Output, plural } from '../output.js';
import { hostPath } from '../paths.js';
import { startProgress } from '../progress.js';
import {
  isDirectory,
  joinPath,
  mapPath,
  type Session,
  trimSlashes,
  withSession,
} from '../session.js';

interface Options extends CommonOptions {
  recursive?: boolean;
  clobber: boolean;
  keepGoing?: boolean;
  importance?: number;
  xattrs: boolean;
}

interface Totals {
  files: number;
  directories: number;
  bytes: number;
}

const CHUNK = 1 << 20;

export function define(): Command {
  return command('put', 'Copy files into a map', {
    json: {
      map: 'the map',
      files: 'files put',
      directories: 'directories put',
      bytes: 'their bytes',
    },
    exits: [...WRITE_EXITS, EXIT.partial],
    notes:
      'Modes, owners, times, links and extended attributes are kept. An existing file is replaced.',
    examples: [
      ['aetherflow put map.rts.png notes.txt /notes.txt', 'one file'],
      ['aetherflow put map.rts.png a.txt b.txt /docs', 'several, into a directory of the map'],
      ['aetherflow put -r map.rts.png ./site /www', 'a directory and all below it'],
      ['date | aetherflow put map.rts.png - /now', 'from stdin'],
    ],
  })
    .argument('<map>', 'the map')
    .argument('<path...>', 'host files or -; the last argument is where to in the map')
    .option('-r, --recursive', 'directories and all below them')
    .option('-n, --no-clobber', 'refuse to replace an existing file')
    .option('--keep-going', 'leave out what cannot be read, and end with 11')
    .option('--importance <value>', 'importance of the file, 0 to 255', integer(0, 255))
    .option('--no-xattrs', 'leave extended attributes out')
    .action(run);
}

async function run(map: string, paths: string[], options: Options): Promise<void> {
  const output = outputOf(options);
  const destination = paths.length < 2 ? undefined : paths.at(-1);
  const sources = paths.slice(0, -1);
  if (destination === undefined) {
    throw new Failure(
      EXIT.usage,
      'cannot put',
      paths[0] ?? '',
      'the destination is missing',
      'see `aetherflow put --help`',
    );
  }
  const totals: Totals = { files: 0, directories: 0, bytes: 0 };
  await withSession(map, 'r+', async (session) => {
    const target = mapPath(destination);
    const there = session.find(target);
    const into = there !== undefined && isDirectory(session.stat(there).mode) ? there : undefined;
    if (sources.length > 1 && into === undefined) {
      throw new Failure(
        EXIT.notFound,
        'cannot put several files to',
        session.where(target),
        'it is not a directory',
        'make it first with `aetherflow mkdir`',
        { reason: 'not-a-directory', code: 'ENOTDIR' },
      );
    }
    for (const source of sources) {
      if (source === '-') {
        putStream(session, target, into, options, totals);
      } else {
        await putHost(session, source, target, into, options, totals, output);
      }
    }
    attempt('cannot write to', map, () => {
      session.raw.sync();
    });
  });
  if (output.json) output.document({ map, ...totals });
  const directories =
    totals.directories === 0 ? '' : `, ${plural(totals.directories, 'directory', 'directories')}`;
  output.done(
    `put ${plural(totals.files, 'file')}${directories}, ${humanSize(totals.bytes)} into ${map}`,
  );
}

/** Stdin into a file of the map. */
function putStream(
  session: Session,
  target: Buffer,
  into: number | undefined,
  options: Options,
  totals: Totals,
): void {
  if (into !== undefined) {
    throw new Failure(
      EXIT.exists,
      'cannot put stdin to',
      session.where(target),
      'it is a directory',
      'name the file',
      { reason: 'is-a-directory', code: 'EISDIR' },
    );
  }
  const { parent, name } = session.parentOf(target);
  totals.bytes += writeFile(session, target, parent, name, 0, options, 0o666 & ~umask());
  totals.files += 1;
}

async function putHost(
  session: Session,
  source: string,
  target: Buffer,
  into: number | undefined,
  options: Options,
  totals: Totals,
  output: Output,
): Promise<void> {
  const path = hostPath(source);
  const stat = attempt('cannot read', source, () => fs.statSync(path, { bigint: true }));
  if (stat.isDirectory() && options.recursive !== true) {
    throw new Failure(
      EXIT.usage,
      'cannot put',
      source,
      'it is a directory',
      'add -r to copy it with all below it',
      { reason: 'is-a-directory', code: 'EISDIR' },
    );
  }
  const own = Buffer.from(fs.realpathSync(path, 'buffer'));
  const base = trimSlashes(own).subarray(own.lastIndexOf(0x2f) + 1);
  const { parent, name } =
    into === undefined ? session.parentOf(target) : { parent: into, name: Buffer.from(base) };
  const shown = into === undefined ? target : joinPath(target, name);
  if (stat.isDirectory()) {
    await putTree(session, path, parent, name, shown, options, totals, output);
    return;
  }
  const facts = fileFacts(stat);
  const descriptor = attempt('cannot read', source, () => fs.openSync(path, 'r'));
  try {
    totals.bytes += writeFile(session, shown, parent, name, descriptor, options, facts.mode);
  } finally {
    fs.closeSync(descriptor);
  }
  const ino = session.gate.lookup(parent, name);
  session.setOwner(ino, facts.mode, facts.uid, facts.gid);
  session.setTimes(ino, facts.atime, facts.mtime);
  totals.files += 1;
}

/** Writes all of a descriptor into a file of the map; returns the bytes. */
function writeFile(
  session: Session,
  shown: Buffer,
  parent: number,
  name: Buffer,
  descriptor: number,
  options: Options,
  mode: number,
): number {
  return attempt('cannot write', session.where(shown), () => {
    const { raw, gate } = session;
    let ino = gate.lookup(parent, name);
    if (ino !== 0) {
      if (!options.clobber) throw mapExists(session, shown);
      ino = session.resolve(shown);
      if (isDirectory(session.stat(ino).mode)) throw mapExists(session, shown);
      raw.truncate(ino, 0);
    } else {
      ino = session.create(parent, name, mode, owner(), group());
    }
    if (options.importance !== undefined) raw.setImportance(ino, options.importance);
    const buffer = Buffer.allocUnsafeSlow(CHUNK);
    let position = 0;
    for (;;) {
      const count = readSome(descriptor, buffer);
      if (count === 0) return position;
      gate.write(ino, buffer.subarray(0, count), position);
      position += count;
    }
  });
}

const pause = new Int32Array(new SharedArrayBuffer(4));

/** Fills the buffer as far as the descriptor has bytes; stdin may be non-blocking. */
function readSome(descriptor: number, buffer: Buffer): number {
  let done = 0;
  while (done < buffer.length) {
    try {
      const count = fs.readSync(descriptor, buffer, done, buffer.length - done, null);
      if (count === 0) break;
      done += count;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') break;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, 5);
    }
  }
  return done;
}

async function putTree(
  session: Session,
  path: string | Buffer,
  parent: number,
  name: Buffer,
  shown: Buffer,
  options: Options,
  totals: Totals,
  output: Output,
): Promise<void> {
  const { importTree, SourceFailure } = await import('../build/pipeline.js');
  const { tree, attributes } = hostTree(path, {
    excluded: () => false,
    skip: new Set(),
    xattrs: options.xattrs,
    output,
  });
  const failOn = (trouble: SourceTree['troubles'][number]): Failure =>
    new Failure(
      EXIT.readOnly,
      'cannot read',
      trouble.path.toString(),
      trouble.error.message,
      'repeat with --keep-going to leave it out',
      { code: trouble.error.code },
    );
  const [first] = tree.troubles;
  if (first !== undefined && options.keepGoing !== true) throw failOn(first);
  let target = session.gate.lookup(parent, name);
  if (target !== 0 && !isDirectory(session.stat(target).mode)) throw mapExists(session, shown);
  if (target === 0) {
    const { mode, uid, gid } = tree.root;
    target = session.mkdir(parent, name, mode & 0o7777, uid, gid);
  }
  const settings = session.raw.settings();
  const progress = await startProgress(output, 'putting', tree.bytes);
  try {
    const { report, troubles } = await importTree(session, target, tree, attributes, {
      compression: settings.compression,
      level: settings.level,
      jobs: 0,
      keepGoing: options.keepGoing ?? false,
      existing: options.clobber ? 'replace' : 'refuse',
      base: shown,
      progress: (done, total) => {
        progress.update(done, total);
      },
    });
    totals.files += report.files + report.hardLinks + report.symlinks + report.others;
    totals.directories += report.directories + 1;
    totals.bytes += report.bytes;
    for (const trouble of [...tree.troubles, ...troubles]) {
      output.warn(`left out ${trouble.path.toString()}: ${trouble.error.message}`);
      process.exitCode = EXIT.partial;
    }
  } catch (error) {
    throw error instanceof SourceFailure ? failOn(error.trouble) : error;
  } finally {
    progress.end();
  }
}

function mapExists(session: Session, path: Buffer): Failure {
  return new Failure(
    EXIT.exists,
    'cannot write',
    session.where(path),
    'it exists already',
    'remove it first, or choose another name',
    { reason: 'exists', code: 'EEXIST' },
  );
}

/** Owner of what this process makes. */
export function owner(): number {
  return process.geteuid?.() ?? 0;
}

/** Group of what this process makes. */
export function group(): number {
  return process.getegid?.() ?? 0;
}

/** The process's file mode creation mask; 022 where the system does not tell without setting it. */
export function umask(): number {
  try {
    const match = /^Umask:\s*([0-7]+)$/mu.exec(fs.readFileSync('/proc/self/status', 'utf8'));
    if (match?.[1] !== undefined) return parseInt(match[1], 8);
  } catch {
    // No /proc here.
  }
  return 0o022;
}
