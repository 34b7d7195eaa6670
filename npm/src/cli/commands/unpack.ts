/** `unpack`: the live form of a packed or re-saved map. */
import * as fs from 'node:fs';
import type { Command } from 'commander';

import { FileStorage } from '../../storage-node.js';
import { RawMap } from '../../wasm.js';
import { command, outputOf, WRITE_EXITS } from '../command.js';
import { attempt } from '../failure.js';
import { type CommonOptions, humanDuration, humanSize } from '../output.js';
import { Replacement } from '../replace.js';
import { openSession, withSession } from '../session.js';

interface Options extends CommonOptions {
  force?: boolean;
}

export function define(): Command {
  return command('unpack', 'Make the live form of a packed or re-saved map', {
    json: { map: 'the map', out: 'the live map', bytes: 'its size', milliseconds: 'time taken' },
    exits: WRITE_EXITS,
    notes: [
      'Also takes a map that another program saved again without loss: its pixels are all there,',
      'only the layout is gone.',
    ].join('\n'),
    examples: [
      ['aetherflow unpack share.rts.png map.rts.png', 'beside the packed map'],
      ['aetherflow unpack map.rts.png', 'in place'],
    ],
  })
    .argument('<map>', 'the map')
    .argument('[out]', 'the file to make; default: the map itself')
    .option('-f, --force', 'replace an existing file')
    .action(run);
}

async function run(map: string, out: string | undefined, options: Options): Promise<void> {
  const output = outputOf(options);
  const started = performance.now();
  if (out === undefined) {
    // Opening for writing is what converts.
    await withSession(map, 'r+', () => undefined);
  } else {
    // Looks whether it is a map and nobody holds it, before anything is written.
    openSession(map, 'r').close();
    const replacement = new Replacement(out, options.force ?? false);
    try {
      attempt('cannot unpack', map, () => {
        unpack(map, replacement.temporary);
      });
      replacement.commit();
    } catch (error) {
      replacement.discard();
      throw error;
    }
  }
  const took = performance.now() - started;
  const bytes = fs.statSync(out ?? map).size;
  if (output.json) output.document({ map, out: out ?? map, bytes, milliseconds: Math.round(took) });
  output.done(`${out ?? map}: ${humanSize(bytes)}, live, in ${humanDuration(took)}`);
}

function unpack(map: string, out: string): void {
  const source = new FileStorage(map, 'r');
  try {
    const target = new FileStorage(out, 'wx+');
    try {
      RawMap.unpackOn(source, target);
    } finally {
      target.close();
    }
  } finally {
    source.close();
  }
}
