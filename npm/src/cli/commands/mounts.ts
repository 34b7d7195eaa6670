/** `mounts`: what is mounted, and how it does. */
import type { Command } from 'commander';

import { listMounts, type MountInfo } from '../../mount/unmount.js';
import { command, outputOf } from '../command.js';
import { type CommonOptions, humanTime, type Output, table } from '../output.js';

export function define(): Command {
  return command('mounts', 'List the mounted maps', {
    json: {
      mounts:
        'list of `map`, `mountPoint`, `pid` (or null), `socket` (or null), `state` (read-write, read-only, degraded, dead), `reason` (or null), `since` (ISO 8601 or null)',
    },
    exits: [],
    notes: [
      'degraded: a disk failed or is full, and changes are refused. dead: the process that served the',
      'map is gone; `aetherflow unmount` frees the directory.',
    ].join('\n'),
    examples: [
      ['aetherflow mounts', 'map, directory, process, state, since'],
      ['aetherflow mounts --json | jq -r ".mounts[].mountPoint"', 'for a script'],
    ],
  }).action(run);
}

async function run(options: CommonOptions): Promise<void> {
  const output = outputOf(options);
  const mounts = await listMounts();
  if (output.json) {
    output.document({ mounts });
    return;
  }
  if (mounts.length === 0) {
    output.done('nothing is mounted');
    return;
  }
  output.line(
    await table(
      ['map', 'mounted at', 'process', 'state', 'since'],
      mounts.map((mount) => [
        output.name(mount.map),
        output.name(mount.mountPoint),
        mount.pid === null ? '' : String(mount.pid),
        stateText(mount, output),
        mount.since === null ? '' : humanTime(Date.parse(mount.since)),
      ]),
      ['left', 'left', 'right', 'left', 'left'],
      output.paint,
    ),
  );
}

function stateText({ state, reason }: MountInfo, output: Output): string {
  const { paint } = output;
  const colour = {
    'read-write': paint.good,
    'read-only': paint.good,
    degraded: paint.warn,
    dead: paint.bad,
  };
  return colour[state](state) + (reason === null ? '' : `: ${output.name(reason)}`);
}
