/** `cat`: bytes of files to stdout. */
import type { Command } from 'commander';

import {
  command,
  outputOf,
  READ_EXITS,
  size as parseSize,
  snapshotOption,
  type ViewOptions,
} from '../command.js';
import { EXIT } from '../exit-codes.js';
import { attempt, Failure } from '../failure.js';
import type { Output } from '../output.js';
import { isDirectory, mapPath, type Session, withView } from '../session.js';

interface Options extends ViewOptions {
  offset?: number;
  length?: number;
}

/** Bytes per engine call; what a `cat` holds in memory beside the engine's own cache. */
const CHUNK = 1 << 20;

export function define(): Command {
  return command('cat', 'Write files of a map to stdout', {
    exits: READ_EXITS,
    examples: [
      ['aetherflow cat map.rts.png /etc/hosts', 'one file'],
      ['aetherflow cat --snapshot monday map.rts.png /notes', 'an older version'],
      ['aetherflow cat --offset 1M --length 64 map.rts.png /disk.img | xxd', 'a part of a file'],
    ],
  })
    .argument('<map>', 'the map')
    .argument('<path...>', 'files in the map')
    .option('--offset <size>', 'start at this byte', parseSize)
    .option('--length <size>', 'no more than so many bytes', parseSize)
    .addOption(snapshotOption())
    .action(run);
}

async function run(map: string, paths: string[], options: Options): Promise<void> {
  const output = outputOf(options);
  await withView(map, options.snapshot, (session) => {
    for (const argument of paths) {
      const path = mapPath(argument);
      const ino = session.resolve(path);
      copyOut(session, path, ino, output, options);
    }
  });
}

function copyOut(
  session: Session,
  path: Buffer,
  ino: number,
  output: Output,
  options: Options,
): void {
  const attributes = session.stat(ino);
  if (isDirectory(attributes.mode)) {
    throw new Failure(
      EXIT.failure,
      'cannot read',
      session.where(path),
      'it is a directory',
      'use `aetherflow get -r` or `aetherflow extract`',
      { reason: 'is-a-directory', code: 'EISDIR' },
    );
  }
  let position = options.offset ?? 0;
  const end = Math.min(attributes.size, position + (options.length ?? Infinity));
  while (position < end) {
    const wanted = Math.min(CHUNK, end - position);
    const at = position;
    const count = attempt('cannot read', session.where(path), () =>
      session.raw.read(ino, at, wanted),
    );
    if (count === 0) return;
    output.bytes(session.gate.scratch.subarray(0, count));
    position += count;
  }
}
