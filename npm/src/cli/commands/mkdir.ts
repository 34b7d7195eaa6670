/** `mkdir`: makes directories in a map. */
import type { Command } from 'commander';

import { command, octalMode, outputOf, WRITE_EXITS } from '../command.js';
import { attempt } from '../failure.js';
import { type CommonOptions, plural } from '../output.js';
import { splitPath } from '../paths.js';
import { isDirectory, joinPath, mapPath, type Session, withSession } from '../session.js';
import { group, owner, umask } from './put.js';

interface Options extends CommonOptions {
  parents?: boolean;
  mode?: number;
}

export function define(): Command {
  return command('mkdir', 'Make directories in a map', {
    json: { map: 'the map', made: 'how many directories' },
    exits: WRITE_EXITS,
    examples: [['aetherflow mkdir -p map.rts.png /var/log/app', 'with missing parents']],
  })
    .argument('<map>', 'the map')
    .argument('<path...>', 'directories to make')
    .option('-p, --parents', 'make missing parents; an existing directory is no failure')
    .option('-m, --mode <octal>', 'permission bits, not reduced by the umask', octalMode)
    .action(run);
}

async function run(map: string, paths: string[], options: Options): Promise<void> {
  const output = outputOf(options);
  let made = 0;
  await withSession(map, 'r+', (session) => {
    for (const argument of paths) {
      const path = mapPath(argument);
      made += attempt('cannot make', session.where(path), () => make(session, path, options));
    }
    attempt('cannot write to', map, () => {
      session.raw.sync();
    });
  });
  if (output.json) output.document({ map, made });
  output.done(`made ${plural(made, 'directory', 'directories')}`);
}

function make(session: Session, path: Buffer, options: Options): number {
  const plain = 0o777 & ~umask();
  if (options.parents !== true) {
    const { parent, name } = session.parentOf(path);
    session.mkdir(parent, name, options.mode ?? plain, owner(), group());
    return 1;
  }
  let made = 0;
  let at: Buffer = Buffer.from('/');
  const names = splitPath(path);
  for (const [index, name] of names.entries()) {
    const next = joinPath(at, name);
    const there = session.find(next);
    if (there === undefined || !isDirectory(session.stat(there).mode)) {
      const mode = index === names.length - 1 ? (options.mode ?? plain) : plain;
      session.mkdir(session.resolve(at), name, mode, owner(), group());
      made += 1;
    }
    at = next;
  }
  return made;
}
