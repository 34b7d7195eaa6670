/** `cache`: what the caches of a mounted map hold. */
import type { Command } from 'commander';

import { command, outputOf, READ_EXITS, size as parseSize } from '../command.js';
import { type CommonOptions, humanCount, humanSize, table } from '../output.js';
import { MOUNTED_FIELD, mountedField, tellMounted, withWhole } from '../whole.js';

interface Options extends CommonOptions {
  drop?: boolean;
  budget?: number;
}

export function define(): Command {
  return command('cache', 'Show, empty or resize the caches of a mounted map', {
    json: {
      map: 'the map',
      budget: 'bytes that all caches together may take',
      caches: 'list of `name`, `hits`, `misses`, `evictions`, `bytes`, `budget`',
      ...MOUNTED_FIELD,
    },
    exits: READ_EXITS,
    examples: [
      ['aetherflow cache map.rts.png', 'hits, misses and sizes'],
      ['aetherflow cache --budget 256M map.rts.png', 'more memory, until it is unmounted'],
      ['aetherflow cache --drop map.rts.png', 'for measuring cold reads'],
    ],
  })
    .argument('<map>', 'the map, mounted')
    .option('--drop', 'empty them first')
    .option('--budget <size>', 'let them take so many bytes together', parseSize)
    .action(run);
}

async function run(map: string, options: Options): Promise<void> {
  const output = outputOf(options);
  await withWhole(map, 'r', async (whole) => {
    const { budget, caches } = await whole.cache({
      drop: options.drop ?? false,
      budget: options.budget,
    });
    tellMounted(whole, output);
    if (output.json) {
      output.document({ map, budget, caches, ...mountedField(whole) });
      return;
    }
    const rows = caches.map((cache) => {
      const asked = cache.hits + cache.misses;
      return [
        cache.name,
        humanSize(cache.bytes),
        humanSize(cache.budget),
        humanCount(cache.hits),
        humanCount(cache.misses),
        asked === 0 ? '' : `${((cache.hits / asked) * 100).toFixed(1)} %`,
        humanCount(cache.evictions),
      ];
    });
    output.line(
      await table(
        ['cache', 'holds', 'budget', 'hits', 'misses', 'hit', 'evictions'],
        rows,
        ['left', 'right', 'right', 'right', 'right', 'right', 'right'],
        output.paint,
      ),
    );
    output.line(`\n${humanSize(budget)} for all together`);
  });
}
