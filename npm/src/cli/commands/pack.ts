/** `pack`: the packed form of a map, for sharing. */
import * as fs from 'node:fs';
import type { Command } from 'commander';

import { command, outputOf, READ_EXITS } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { attempt } from '../failure.js';
import { type CommonOptions, humanDuration, humanSize, type Output, writeAll } from '../output.js';
import { startProgress } from '../progress.js';
import { Replacement } from '../replace.js';
import { openSession, type Session } from '../session.js';

interface Options extends CommonOptions {
  force?: boolean;
  parity?: boolean;
}

export function define(): Command {
  return command('pack', 'Make the packed form of a map, for sharing', {
    json: { map: 'the map', out: 'the packed map', bytes: 'its size', milliseconds: 'time taken' },
    exits: [...READ_EXITS, EXIT.noSpace, EXIT.exists],
    notes:
      'A packed map is a smaller PNG that is read in place; opened for writing it becomes live again.',
    examples: [
      ['aetherflow pack map.rts.png share.rts.png', 'beside the live map'],
      ['aetherflow pack map.rts.png', 'in place'],
      ['aetherflow pack map.rts.png - | ssh host "cat > map.rts.png"', 'to stdout'],
    ],
  })
    .argument('<map>', 'the map')
    .argument('[out]', 'the file to make, or - for stdout; default: the map itself')
    .option('--parity', 'with the parity clusters; else they are computed when it is unpacked')
    .option('-f, --force', 'replace an existing file')
    .action(run);
}

async function run(map: string, out: string | undefined, options: Options): Promise<void> {
  const output = outputOf(options);
  const started = performance.now();
  if (out === '-') {
    const session = openSession(map, 'r');
    try {
      await packTo(session, output, options.parity ?? false, (bytes) => {
        output.bytes(bytes);
      });
    } finally {
      session.close();
    }
    return;
  }
  const inPlace = out === undefined;
  const replacement = new Replacement(out ?? map, inPlace || (options.force ?? false));
  try {
    // In place we hold the lock ourselves; the map is read under it.
    const session = openSession(map, 'r', { ignoreLock: inPlace });
    try {
      await packFile(session, replacement.temporary, output, options.parity ?? false);
    } finally {
      session.close();
    }
    if (inPlace) keepMode(map, replacement.temporary);
    replacement.commit();
  } catch (error) {
    replacement.discard();
    throw error;
  }
  const took = performance.now() - started;
  const bytes = fs.statSync(out ?? map).size;
  if (output.json) output.document({ map, out: out ?? map, bytes, milliseconds: Math.round(took) });
  output.done(`${out ?? map}: ${humanSize(bytes)}, packed in ${humanDuration(took)}`);
}

function keepMode(from: string, to: string): void {
  const { mode, uid, gid } = fs.statSync(from);
  fs.chmodSync(to, mode & 0o777);
  if (process.getuid?.() === 0) fs.chownSync(to, uid, gid);
}

/** Packs an open map beside `replacement`; returns where. */
export async function packInto(
  session: Session,
  replacement: Replacement,
  output: Output,
): Promise<string> {
  // The suffix is one that the replacement removes together with its own file.
  const path = `${replacement.temporary}-pack`;
  await packFile(session, path, output, false);
  return path;
}

async function packFile(
  session: Session,
  path: string,
  output: Output,
  parity: boolean,
): Promise<void> {
  const descriptor = attempt('cannot write', path, () => fs.openSync(path, 'wx'));
  try {
    await packTo(session, output, parity, (bytes) => {
      writeAll(descriptor, bytes);
    });
  } finally {
    fs.closeSync(descriptor);
  }
}

async function packTo(
  session: Session,
  output: Output,
  parity: boolean,
  write: (bytes: Uint8Array) => void,
): Promise<void> {
  const progress = await startProgress(output, 'packing', 1, 'count');
  // The engine carries an exception of `write` through, but not its class.
  let thrown: unknown;
  try {
    attempt('cannot pack', session.path, () => {
      session.raw.pack(
        (bytes) => {
          try {
            write(bytes);
          } catch (error) {
            thrown ??= error;
            throw error;
          }
        },
        { parity },
        (done, total) => {
          progress.update(done, total);
          return thrown === undefined;
        },
      );
    });
    if (thrown !== undefined) throw thrown as Error;
  } catch (error) {
    throw (thrown ?? error) as Error;
  } finally {
    progress.end();
  }
}
