/** `info`: what a map is and holds, on one screen. */
import * as fs from 'node:fs';
import type { Command } from 'commander';

import { command, outputOf, READ_EXITS } from '../command.js';
import { bar, type CommonOptions, humanCount, humanSize, humanTime, plural } from '../output.js';
import { hostPath } from '../paths.js';
import { MOUNTED_FIELD, mountedField, mountedText, withWhole } from '../whole.js';

const CLUSTER = 4096;

export function define(): Command {
  return command('info', 'Show what a map is and how full it is', {
    json: {
      map: 'the map',
      format: 'format version',
      form: 'live or packed',
      width: 'pixels',
      height: 'pixels',
      sheets: 'sheets of width x width pixels',
      rings: 'rings of sheets around the first',
      clusters: 'clusters of 4096 bytes',
      clustersUsed: 'clusters in use',
      fileBytes: 'apparent size of the file',
      diskBytes: 'bytes the file takes on the disk (free space is holes)',
      label: 'label',
      uuid: 'identity of the map',
      created: 'milliseconds since 1970',
      modified: 'milliseconds since 1970',
      compression: 'off, zone or all',
      level: 'zstd level',
      parity: 'true when parity is kept',
      parityStale: 'true when it is behind',
      files: 'files',
      directories: 'directories',
      symlinks: 'symbolic links',
      others: 'fifos, devices, sockets',
      bytes: 'sum of the file sizes',
      snapshots: 'snapshots',
      generation: 'number of the last checkpoint',
      cacheBytes: 'cache budget of this process',
      recovered: 'true when opening replayed a log',
      limits: '`libpngRows`, `pillowPixels`: true where those readers refuse the picture',
      ...MOUNTED_FIELD,
    },
    exits: READ_EXITS,
    examples: [
      ['aetherflow info map.rts.png', 'for people'],
      ['aetherflow info --json map.rts.png', 'for scripts'],
    ],
  })
    .argument('<map>', 'the map')
    .action(run);
}

async function run(map: string, options: CommonOptions): Promise<void> {
  const output = outputOf(options);
  await withWhole(map, 'r', async (whole) => {
    const info = await whole.info();
    const onDisk = fs.statSync(hostPath(map)).blocks * 512;
    if (output.json) {
      output.document({
        map,
        ...info,
        diskBytes: onDisk,
        ...mountedField(whole),
      });
      return;
    }
    const { paint } = output;
    const line = (title: string, text: string): void => {
      output.line(`${paint.faint(title.padStart(11))}  ${text}`);
    };
    const label = info.label === '' ? '' : `  ${paint.strong(output.name(info.label))}`;
    line('map', `${paint.strong(output.name(map))}${label}`);
    if (whole.mounted !== undefined) line('mounted', `at ${mountedText(whole.mounted, output)}`);
    line(
      'format',
      `${info.format}, ${info.form} form${info.recovered ? ', recovered on opening' : ''}`,
    );
    line(
      'picture',
      `${humanCount(info.width)} x ${humanCount(info.height)} px, ${plural(info.sheets, 'sheet')} in ${plural(info.rings, 'ring')}`,
    );
    line('file', `${humanSize(info.fileBytes)}, ${humanSize(onDisk)} on disk`);
    const share = info.clusters === 0 ? 0 : info.clustersUsed / info.clusters;
    line(
      'used',
      `${bar(share, 24)} ${(share * 100).toFixed(1)} %  ${humanSize(info.clustersUsed * CLUSTER)} of ${humanSize(info.clusters * CLUSTER)}`,
    );
    line(
      'holds',
      [
        plural(info.files, 'file'),
        plural(info.directories, 'directory', 'directories'),
        ...(info.symlinks === 0 ? [] : [plural(info.symlinks, 'symlink')]),
        ...(info.others === 0 ? [] : [plural(info.others, 'special file')]),
      ].join(', ') + `, ${humanSize(info.bytes)}`,
    );
    line('snapshots', humanCount(info.snapshots));
    const level = info.compression === 'off' ? '' : `, zstd level ${info.level}`;
    line('compression', `${info.compression}${level}`);
    line('parity', info.parity ? (info.parityStale ? paint.warn('stale') : 'up to date') : 'off');
    line('created', humanTime(info.created));
    line('modified', `${humanTime(info.modified)}, generation ${humanCount(info.generation)}`);
    line('id', info.uuid);
    if (info.limits.libpngRows) {
      line('note', 'more than 1,000,000 rows: viewers that use libpng refuse the picture');
    }
    if (info.limits.pillowPixels) {
      line('note', 'more than 178,956,970 pixels: Pillow refuses the picture');
    }
  });
}
