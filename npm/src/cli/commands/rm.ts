/** `rm`: removes files of a map. */
import type { Command } from 'commander';

import { command, outputOf, WRITE_EXITS } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { attempt, Failure } from '../failure.js';
import { type CommonOptions, plural } from '../output.js';
import { DT_DIRECTORY, isDirectory, mapPath, type Session, withSession } from '../session.js';

interface Options extends CommonOptions {
  recursive?: boolean;
  force?: boolean;
}

export function define(): Command {
  return command('rm', 'Remove files from a map', {
    json: { map: 'the map', removed: 'how many nodes' },
    exits: WRITE_EXITS,
    notes: 'What a snapshot still holds keeps its space until the snapshot is deleted.',
    examples: [
      ['aetherflow rm map.rts.png /tmp/log', 'a file'],
      ['aetherflow rm -r map.rts.png /tmp', 'a directory and all below it'],
    ],
  })
    .argument('<map>', 'the map')
    .argument('<path...>', 'paths in the map')
    .option('-r, --recursive', 'directories and all below them')
    .option('-f, --force', 'missing paths are no failure')
    .action(run);
}

async function run(map: string, paths: string[], options: Options): Promise<void> {
  const output = outputOf(options);
  let removed = 0;
  await withSession(map, 'r+', (session) => {
    for (const argument of paths) {
      const path = mapPath(argument);
      if (options.force === true && session.find(path, false) === undefined) continue;
      const ino = session.resolve(path, false);
      const { parent, name } = session.parentOf(path);
      attempt('cannot remove', session.where(path), () => {
        if (!isDirectory(session.stat(ino).mode)) {
          session.unlink(parent, name);
          removed += 1;
        } else if (options.recursive === true) {
          removed += removeTree(session, ino) + 1;
          session.rmdir(parent, name);
        } else {
          throw new Failure(
            EXIT.exists,
            'cannot remove',
            session.where(path),
            'it is a directory',
            'add -r to remove it with all below it',
            { reason: 'is-a-directory', code: 'EISDIR' },
          );
        }
      });
    }
    attempt('cannot write to', map, () => {
      session.raw.sync();
    });
  });
  if (output.json) output.document({ map, removed });
  output.done(`removed ${plural(removed, 'item')}`);
}

/** Empties a directory, deepest entries first; returns how many entries went. */
function removeTree(session: Session, ino: number): number {
  let removed = 0;
  const waiting: { ino: number; parent: number; name: Buffer; entered: boolean }[] = [];
  const enter = (directory: number): void => {
    for (const entry of session.gate.entries(directory)) {
      if (entry.type === DT_DIRECTORY) {
        waiting.push({ ino: entry.ino, parent: directory, name: entry.name, entered: false });
      } else {
        session.unlink(directory, entry.name);
        removed += 1;
      }
    }
  };
  enter(ino);
  for (let next = waiting.at(-1); next !== undefined; next = waiting.at(-1)) {
    if (next.entered) {
      session.rmdir(next.parent, next.name);
      removed += 1;
      waiting.pop();
    } else {
      next.entered = true;
      enter(next.ino);
    }
  }
  return removed;
}
