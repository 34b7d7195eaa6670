/** `ln`: hard and symbolic links in a map. */
import type { Command } from 'commander';

import { command, outputOf, WRITE_EXITS } from '../command.js';
import { attempt } from '../failure.js';
import type { CommonOptions } from '../output.js';
import { pathBytes } from '../paths.js';
import { isDirectory, joinPath, mapPath, trimSlashes, withSession } from '../session.js';
import { group, owner } from './put.js';

interface Options extends CommonOptions {
  symbolic?: boolean;
  force?: boolean;
}

export function define(): Command {
  return command('ln', 'Make a link in a map', {
    json: { map: 'the map', target: 'as given', link: 'as given', symbolic: 'true for -s' },
    exits: WRITE_EXITS,
    examples: [
      ['aetherflow ln map.rts.png /a /b', 'a second name for the same file'],
      ['aetherflow ln -s map.rts.png ../lib/a.so /bin/a.so', 'a symbolic link'],
    ],
  })
    .argument('<map>', 'the map')
    .argument('<target>', 'what the link names; taken as it is with -s')
    .argument('<path>', 'the new link, or a directory to make it in')
    .option('-s, --symbolic', 'a symbolic link')
    .option('-f, --force', 'replace an existing file')
    .action(run);
}

async function run(map: string, target: string, link: string, options: Options): Promise<void> {
  const output = outputOf(options);
  await withSession(map, 'r+', (session) => {
    let path = mapPath(link);
    const there = session.find(path);
    if (there !== undefined && isDirectory(session.stat(there).mode)) {
      const whole = trimSlashes(pathBytes(target));
      path = joinPath(path, whole.subarray(whole.lastIndexOf(0x2f) + 1));
    }
    const source = options.symbolic === true ? 0 : session.resolve(mapPath(target), false);
    const { parent, name } = session.parentOf(path);
    attempt('cannot link', session.where(path), () => {
      const existing = session.gate.lookup(parent, name);
      if (options.force === true && existing !== 0) {
        if (existing === source) return;
        session.unlink(parent, name);
      }
      if (options.symbolic === true) {
        session.symlink(parent, name, pathBytes(target), owner(), group());
      } else {
        session.link(source, parent, name);
      }
    });
    attempt('cannot write to', map, () => {
      session.raw.sync();
    });
  });
  if (output.json) output.document({ map, target, link, symbolic: options.symbolic ?? false });
}
