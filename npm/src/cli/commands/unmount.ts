/** `unmount`: ends a mount, also one whose process is gone. */
import type { Command } from 'commander';

import { unmountMap } from '../../mount/unmount.js';
import { command, outputOf } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { failureOf } from '../failure.js';
import type { CommonOptions } from '../output.js';

interface Options extends CommonOptions {
  lazy?: boolean;
}

export function define(): Command {
  return command('unmount', 'Unmount a map; its file is whole when this returns', {
    json: {
      map: 'absolute path of the map',
      mountPoint: 'absolute path of the directory',
      wasDead: 'true when the process that served it was gone',
    },
    exits: [EXIT.locked, EXIT.readOnly, EXIT.notFound, EXIT.io],
    notes: [
      'Everything is written, the picture is sealed, and the lock is given back. Where the process',
      'that served the map is gone, the directory is freed; the next one that opens the map recovers',
      'everything that was synced.',
    ].join('\n'),
    examples: [
      ['aetherflow unmount ~/map', 'by its directory'],
      ['aetherflow unmount map.rts.png', 'or by its file'],
      ['aetherflow unmount --lazy ~/map', 'now, though somebody still works in it'],
    ],
  })
    .alias('umount')
    .argument('<target>', 'the mounted map, or the directory')
    .option('--lazy', 'detach now, and finish when nobody uses it any more')
    .action(run);
}

async function run(target: string, options: Options): Promise<void> {
  const output = outputOf(options);
  try {
    const { map, mountPoint, wasDead } = await unmountMap(target, { lazy: options.lazy });
    if (output.json) output.document({ map, mountPoint, wasDead });
    const place = output.name(mountPoint);
    output.done(
      wasDead
        ? `${place} freed; its process was gone, so the map recovers when it is opened`
        : `${place} unmounted`,
    );
  } catch (error) {
    throw failureOf(error, 'cannot unmount', target);
  }
}
