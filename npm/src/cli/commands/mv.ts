/** `mv`: renames inside a map. */
import type { Command } from 'commander';

import { command, outputOf, WRITE_EXITS } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { attempt, Failure } from '../failure.js';
import { type CommonOptions, plural } from '../output.js';
import {
  isDirectory,
  joinPath,
  mapPath,
  type Session,
  trimSlashes,
  withSession,
} from '../session.js';

interface Options extends CommonOptions {
  clobber: boolean;
  exchange?: boolean;
}

const NOREPLACE = 1;
const EXCHANGE = 2;

export function define(): Command {
  return command('mv', 'Rename or move files inside a map', {
    json: { map: 'the map', moved: 'how many' },
    exits: WRITE_EXITS,
    examples: [
      ['aetherflow mv map.rts.png /a /b', 'rename'],
      ['aetherflow mv map.rts.png /a /b /old', 'move into a directory'],
      ['aetherflow mv --exchange map.rts.png /live /next', 'swap two names in one step'],
    ],
  })
    .argument('<map>', 'the map')
    .argument('<path...>', 'paths in the map; the last one is where to')
    .option('-n, --no-clobber', 'refuse to replace an existing file')
    .option('--exchange', 'swap the two')
    .action(run);
}

async function run(map: string, paths: string[], options: Options): Promise<void> {
  const output = outputOf(options);
  let moved = 0;
  await withSession(map, 'r+', (session) => {
    const found = intoDirectory(session, paths, 'move');
    const flags = options.exchange === true ? EXCHANGE : options.clobber ? 0 : NOREPLACE;
    const into = options.exchange === true ? undefined : found.into;
    for (const target of targetsOf(session, found.sources, found.destination, into)) {
      attempt(
        'cannot move',
        `${session.where(target.source)} to ${target.shown.toString()}`,
        () => {
          const from = session.parentOf(target.source);
          session.rename(from.parent, from.name, target.parent, target.name, flags);
        },
      );
      moved += 1;
    }
    attempt('cannot write to', map, () => {
      session.raw.sync();
    });
  });
  if (output.json) output.document({ map, moved });
  output.done(`moved ${plural(moved, 'item')}`);
}

/** One source and where it goes. */
export interface Target {
  readonly ino: number;
  readonly source: Buffer;
  readonly parent: number;
  readonly name: Buffer;
  /** The new path, for messages. */
  readonly shown: Buffer;
}

/** Splits `SOURCE… DESTINATION`; `into` is the destination's inode where it is a directory. */
export function intoDirectory(
  session: Session,
  paths: readonly string[],
  verb: string,
): { sources: Buffer[]; destination: Buffer; into: number | undefined } {
  const last = paths.at(-1);
  if (last === undefined || paths.length < 2) {
    throw new Failure(
      EXIT.usage,
      `cannot ${verb}`,
      paths[0] ?? '',
      'the destination is missing',
      'name a source and a destination',
    );
  }
  const destination = mapPath(last);
  const there = session.find(destination);
  const into = there !== undefined && isDirectory(session.stat(there).mode) ? there : undefined;
  if (paths.length > 2 && into === undefined) {
    throw new Failure(
      EXIT.notFound,
      `cannot ${verb} several files to`,
      session.where(destination),
      'it is not a directory',
      'make it first with `aetherflow mkdir`',
      { reason: 'not-a-directory', code: 'ENOTDIR' },
    );
  }
  return { sources: paths.slice(0, -1).map(mapPath), destination, into };
}

/** Where each source goes: into the directory, or to the destination's own name. */
export function* targetsOf(
  session: Session,
  sources: readonly Buffer[],
  destination: Buffer,
  into: number | undefined,
): Generator<Target> {
  for (const source of sources) {
    const ino = session.resolve(source, false);
    if (into === undefined) {
      const { parent, name } = session.parentOf(destination);
      yield { ino, source, parent, name, shown: destination };
    } else {
      const trimmed = trimSlashes(source);
      const name = Buffer.from(trimmed.subarray(trimmed.lastIndexOf(0x2f) + 1));
      yield { ino, source, parent: into, name, shown: joinPath(destination, name) };
    }
  }
}
