/** `sync`: everything written so far is on the disk. */
import type { Command } from 'commander';

import { command, outputOf, WRITE_EXITS } from '../command.js';
import type { CommonOptions } from '../output.js';
import { MOUNTED_FIELD, mountedField, tellMounted, withWhole } from '../whole.js';

interface Options extends CommonOptions {
  seal?: boolean;
}

export function define(): Command {
  return command('sync', 'Make everything written to a map durable', {
    json: { map: 'the map', sealed: 'true when the file is a strict PNG', ...MOUNTED_FIELD },
    exits: WRITE_EXITS,
    notes: [
      'For a mounted map. One that is not mounted is recovered if a crash left something, and sealed:',
      'then it is a strictly valid PNG again.',
    ].join('\n'),
    examples: [
      ['aetherflow sync map.rts.png', 'what was written survives a power cut'],
      ['aetherflow sync --seal map.rts.png', 'and every viewer opens the picture'],
    ],
  })
    .argument('<map>', 'the map')
    .option('--seal', 'also bring the picture up to date, for viewers')
    .action(run);
}

async function run(map: string, options: Options): Promise<void> {
  const output = outputOf(options);
  await withWhole(map, 'r+', async (whole) => {
    const seal = options.seal ?? whole.mounted === undefined;
    await whole.sync(seal);
    if (output.json) output.document({ map, sealed: seal, ...mountedField(whole) });
    output.done(`${map}: durable${seal ? ', and a strictly valid PNG' : ''}`);
    tellMounted(whole, output);
  });
}
