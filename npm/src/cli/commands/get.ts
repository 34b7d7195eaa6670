/** `get`: files of a map to the host. */
import * as fs from 'node:fs';
import type { Command } from 'commander';

import { command, outputOf, READ_EXITS, snapshotOption } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { conflictAt, existsFailure } from '../extract.js';
import { attempt, Failure } from '../failure.js';
import { displayName } from '../output.js';
import { hostPath } from '../paths.js';
import { isDirectory, joinPath, mapPath, type Session, trimSlashes, withView } from '../session.js';
import {
  type ExtractCommandOptions,
  EXTRACT_FIELDS,
  extractInto,
  finishExtract,
  overwriteOptions,
  overwritePolicy,
} from './extract.js';

interface Options extends ExtractCommandOptions {
  recursive?: boolean;
}

export function define(): Command {
  const made = command('get', 'Copy files out of a map', {
    json: EXTRACT_FIELDS,
    exits: [...READ_EXITS, EXIT.noSpace, EXIT.exists, EXIT.partial],
    examples: [
      ['aetherflow get map.rts.png /etc/hosts hosts', 'under another name'],
      ['aetherflow get map.rts.png /a /b .', 'several, into a directory'],
      ['aetherflow get -r map.rts.png /etc backup', 'a directory and all below it'],
      ['aetherflow get map.rts.png /etc/hosts -', 'to stdout'],
    ],
  })
    .argument('<map>', 'the map')
    .argument(
      '<path...>',
      'paths in the map; the last argument is where to: a name, a directory, -',
    )
    .option('-r, --recursive', 'directories and all below them')
    .addOption(snapshotOption());
  return overwriteOptions(made)
    .option('--keep-going', 'leave out what cannot be read or written, and end with 11')
    .option('--preserve-special', 'keep setuid and setgid bits of files')
    .option('--no-owners', 'do not set owners (the default unless root)')
    .option('--no-xattrs', 'do not set extended attributes')
    .action(run);
}

async function run(map: string, paths: string[], options: Options): Promise<void> {
  const output = outputOf(options);
  const destination = paths.length < 2 ? undefined : paths.at(-1);
  const sources = paths.slice(0, -1);
  if (destination === undefined) {
    throw new Failure(
      EXIT.usage,
      'cannot get',
      paths[0] ?? '',
      'the destination is missing',
      'see `aetherflow get --help`',
    );
  }
  await withView(map, options.snapshot, async (session) => {
    if (destination === '-') {
      for (const source of sources) toStdout(session, mapPath(source), output.bytes.bind(output));
      return;
    }
    const target = hostPath(destination);
    const there = fs.statSync(target, { throwIfNoEntry: false });
    const intoDirectory = there?.isDirectory() ?? false;
    if (sources.length > 1 && !intoDirectory) {
      throw new Failure(
        EXIT.notFound,
        'cannot get several files to',
        destination,
        'it is not a directory',
        'make it first',
        { reason: 'not-a-directory', code: 'ENOTDIR' },
      );
    }
    const overwrite = overwritePolicy(options);
    const started = performance.now();
    const jobs = sources.map((source) => job(session, mapPath(source), options));
    const place = intoDirectory ? target : parentOf(target);
    const nameOf = (source: { name: Buffer }): Buffer =>
      intoDirectory ? source.name : lastName(target);
    if (overwrite === 'refuse') {
      for (const source of jobs) {
        const path = joinPath(Buffer.from(place as string), nameOf(source));
        const conflict = conflictAt(session, source.ino, path);
        if (conflict !== undefined) throw existsFailure(displayName(conflict));
      }
    }
    const report = await extractInto(session, place, options, overwrite, output, (extractor) => {
      for (const source of jobs) extractor.node(source.ino, nameOf(source));
    });
    finishExtract(report, output, { map, directory: destination }, performance.now() - started);
  });
}

interface Job {
  readonly ino: number;
  readonly name: Buffer;
}

function job(session: Session, path: Buffer, options: Options): Job {
  const ino = session.resolve(path, options.recursive !== true);
  const directory = isDirectory(session.stat(ino).mode);
  if (directory && options.recursive !== true) {
    throw new Failure(
      EXIT.usage,
      'cannot get',
      session.where(path),
      'it is a directory',
      'add -r to copy it with all below it',
      { reason: 'is-a-directory', code: 'EISDIR' },
    );
  }
  const trimmed = trimSlashes(path);
  const name = trimmed.subarray(trimmed.lastIndexOf(0x2f) + 1);
  return { ino, name: Buffer.from(name) };
}

function toStdout(session: Session, path: Buffer, write: (bytes: Uint8Array) => void): void {
  const ino = session.resolve(path);
  let position = 0;
  for (;;) {
    const at = position;
    const count = attempt('cannot read', session.where(path), () =>
      session.raw.read(ino, at, 1 << 20),
    );
    if (count === 0) return;
    write(session.gate.scratch.subarray(0, count));
    position += count;
  }
}

function parentOf(target: string | Buffer): Buffer {
  const bytes = trimSlashes(Buffer.from(target as string));
  const slash = bytes.lastIndexOf(0x2f);
  if (slash === -1) return Buffer.from('.');
  return slash === 0 ? Buffer.from('/') : bytes.subarray(0, slash);
}

function lastName(target: string | Buffer): Buffer {
  const bytes = trimSlashes(Buffer.from(target as string));
  return bytes.subarray(bytes.lastIndexOf(0x2f) + 1);
}
