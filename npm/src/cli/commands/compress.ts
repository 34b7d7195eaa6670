/** `compress`: stores data again, smaller. */
import type { Command } from 'commander';

import { command, integer, outputOf, WRITE_EXITS } from '../command.js';
import { type CommonOptions, humanDuration, humanSize, plural } from '../output.js';
import { startProgress } from '../progress.js';
import { MOUNTED_FIELD, mountedField, tellMounted, withWhole } from '../whole.js';

interface Options extends CommonOptions {
  level?: number;
  all?: boolean;
}

export function define(): Command {
  return command('compress', 'Compress data of a map that is not compressed yet', {
    json: {
      map: 'the map',
      files: 'files looked at',
      logicalBytes: 'their bytes',
      storedBefore: 'bytes stored before',
      storedAfter: 'bytes stored now',
      milliseconds: 'time taken',
      ...MOUNTED_FIELD,
    },
    exits: WRITE_EXITS,
    notes: 'Every frame is read back and compared before the original is let go.',
    examples: [
      ['aetherflow compress map.rts.png', 'by the policy of the map'],
      ['aetherflow compress --all --level 12 map.rts.png /archive', 'all files below a directory'],
    ],
  })
    .argument('<map>', 'the map')
    .argument('[path]', 'a file or directory in the map: it and all below it', '/')
    .option('--level <level>', 'zstd level, 1 to 19; default: the one of the map', integer(1, 19))
    .option('--all', 'whatever the policy of the map says, and compressed data again')
    .action(run);
}

async function run(map: string, path: string, options: Options): Promise<void> {
  const output = outputOf(options);
  await withWhole(map, 'r+', async (whole) => {
    const started = performance.now();
    const progress = await startProgress(output, 'compressing', 1);
    try {
      const { level, all } = options;
      const report = await whole.compress({ path, level, all }, progress.update);
      const took = performance.now() - started;
      const milliseconds = Math.round(took);
      if (output.json) output.document({ map, ...report, milliseconds, ...mountedField(whole) });
      progress.end();
      const saved = report.storedBefore - report.storedAfter;
      const share = report.storedBefore === 0 ? 0 : (saved / report.storedBefore) * 100;
      output.done(
        `${plural(report.files, 'file')}, ${humanSize(report.logicalBytes)}: stored in ${humanSize(report.storedBefore)} before, ${humanSize(report.storedAfter)} now (${share.toFixed(0)} % saved) in ${humanDuration(took)}`,
      );
      tellMounted(whole, output);
    } finally {
      progress.end();
    }
  });
}
