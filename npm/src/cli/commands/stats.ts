/** `stats`: counters of a map since it was opened. */
import type { Command } from 'commander';

import { command, outputOf, READ_EXITS } from '../command.js';
import { type CommonOptions, humanCount, humanSize, type Output } from '../output.js';
import { MOUNTED_FIELD, mountedField, type Stats, tellMounted, withWhole } from '../whole.js';

const CLUSTER = 4096;

export function define(): Command {
  return command('stats', 'Show counters of a map since it was opened', {
    json: {
      map: 'the map',
      cache: '`hits`, `misses`, `evictions`, `bytes`, `budget`',
      reads: 'clusters read',
      writes: 'clusters written',
      commits: 'transactions',
      checkpoints: 'checkpoints',
      logBytes: 'bytes in the log',
      dirtyBytes: 'bytes written and not yet placed',
      dirtyPages: 'changed pages of the trees',
      allocated: 'clusters in use',
      compressedLogical: 'bytes compressed',
      compressedStored: 'bytes they take',
      'treeNodes?': 'nodes of the trees',
      'mount?': 'requests and replies of a mounted map',
      ...MOUNTED_FIELD,
    },
    exits: READ_EXITS,
    notes: 'A map that is not mounted is opened for this, so most of its counters are zero.',
    examples: [
      ['aetherflow stats map.rts.png', 'for people'],
      ['aetherflow stats --json map.rts.png | jq .cache', 'for scripts'],
    ],
  })
    .argument('<map>', 'the map')
    .action(run);
}

async function run(map: string, options: CommonOptions): Promise<void> {
  const output = outputOf(options);
  await withWhole(map, 'r', async (whole) => {
    const stats = await whole.stats();
    if (output.json) output.document({ map, ...stats, ...mountedField(whole) });
    else print(stats, output);
    tellMounted(whole, output);
  });
}

function print(stats: Stats, output: Output): void {
  const line = (title: string, text: string): void => {
    output.line(`${output.paint.faint(title.padStart(14))}  ${text}`);
  };
  const { cache } = stats;
  const asked = cache.hits + cache.misses;
  const share = asked === 0 ? '' : ` (${((cache.hits / asked) * 100).toFixed(1)} %)`;
  line('cache', `${humanSize(cache.bytes)} of ${humanSize(cache.budget)}`);
  line('hits', `${humanCount(cache.hits)} of ${humanCount(asked)}${share}`);
  line('evictions', humanCount(cache.evictions));
  line('read', humanSize(stats.reads * CLUSTER));
  line('written', humanSize(stats.writes * CLUSTER));
  line('transactions', humanCount(stats.commits));
  line('checkpoints', humanCount(stats.checkpoints));
  line('log', humanSize(stats.logBytes));
  line('not yet placed', humanSize(stats.dirtyBytes));
  line('changed pages', humanCount(stats.dirtyPages));
  line('in use', humanSize(stats.allocated * CLUSTER));
  line(
    'compressed',
    `${humanSize(stats.compressedLogical)} to ${humanSize(stats.compressedStored)}`,
  );
  if (stats.mount === undefined) return;
  output.line(`\n${output.paint.strong('asked of the mount')}`);
  for (const [name, value] of counters(stats.mount)) line(name, value);
}

/** The counters in an object, those of inner objects with both names. */
function* counters(
  values: Readonly<Record<string, unknown>>,
  within = '',
): Generator<[string, string]> {
  for (const [name, value] of Object.entries(values)) {
    const words = `${within}${name.replace(/([a-z])([A-Z])/gu, '$1 $2').toLowerCase()}`;
    if (typeof value === 'number') yield [words, humanCount(value)];
    else if (typeof value === 'string') yield [words, value];
    else if (typeof value === 'object' && value !== null) {
      yield* counters(value as Record<string, unknown>, `${words} `);
    }
  }
}
