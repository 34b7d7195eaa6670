/** `zone`: the zones of a map and how full they are, or the zone of files. */
import type { Command } from 'commander';

import { command, outputOf, READ_EXITS, snapshotOption, type ViewOptions } from '../command.js';
import { placeOf } from '../describe.js';
import { bar, humanSize, type Output, pathFields, table } from '../output.js';
import { mapPath, type Session, withView } from '../session.js';
import {
  localMap,
  MOUNTED_FIELD,
  mountedField,
  tellMounted,
  type WholeMap,
  withWhole,
} from '../whole.js';

const CLUSTER = 4096;

export function define(): Command {
  return command('zone', 'Show the zones of a map, or where files lie', {
    json: {
      map: 'the map',
      'zones?':
        'without paths: list of `zone`, `inner` and `outer` distance from the centre in pixels, `clusters`, `used`, `bytes`, `usedBytes`',
      'entries?':
        'with paths: list of `path`, `importance`, `zone` (or null), `distance` (or null)',
      ...MOUNTED_FIELD,
    },
    exits: READ_EXITS,
    examples: [
      ['aetherflow zone map.rts.png', 'how full each zone is'],
      ['aetherflow zone map.rts.png /etc/hosts /bin/sh', 'importance and zone of files'],
    ],
  })
    .argument('<map>', 'the map')
    .argument('[path...]', 'files in the map')
    .addOption(snapshotOption())
    .action(run);
}

async function run(map: string, paths: string[], options: ViewOptions): Promise<void> {
  const output = outputOf(options);
  if (paths.length === 0 && options.snapshot === undefined) {
    await withWhole(map, 'r', (whole) => zones(whole, output));
  } else {
    await withView(map, options.snapshot, (session) =>
      paths.length === 0 ? zones(localMap(map, session), output) : files(session, paths, output),
    );
  }
}

async function zones(whole: WholeMap, output: Output): Promise<void> {
  const list = await whole.zones();
  if (output.json) {
    output.document({
      map: whole.name,
      ...mountedField(whole),
      zones: list.map(({ zone, inner, outer, clusters, used }) => ({
        zone,
        inner,
        outer: Number.isFinite(outer) ? outer : null,
        clusters,
        used,
        bytes: clusters * CLUSTER,
        usedBytes: used * CLUSTER,
      })),
    });
    return;
  }
  const { paint } = output;
  const rows = list.map(({ zone, inner, outer, clusters, used }) => {
    const share = clusters === 0 ? 0 : used / clusters;
    const distance = Number.isFinite(outer)
      ? `${Math.round(inner)}–${Math.round(outer)}`
      : `${Math.round(inner)}–`;
    return [
      paint.zone(zone)(zone),
      distance,
      humanSize(clusters * CLUSTER),
      humanSize(used * CLUSTER),
      clusters === 0 ? '' : `${(share * 100).toFixed(1)} %`,
      paint.zone(zone)(bar(share, 24)),
    ];
  });
  output.line(
    await table(
      ['zone', 'distance px', 'capacity', 'used', 'full', ''],
      rows,
      ['left', 'right', 'right', 'right', 'right', 'left'],
      paint,
    ),
  );
  tellMounted(whole, output);
}

async function files(session: Session, paths: string[], output: Output): Promise<void> {
  const list = paths.map((argument) => {
    const path = mapPath(argument);
    const ino = session.resolve(path);
    const place = placeOf(session, ino);
    return {
      ...pathFields(path),
      shown: output.name(path),
      importance: session.stat(ino).importance,
      zone: place?.zone ?? null,
      distance: place?.distance ?? null,
    };
  });
  if (output.json) {
    output.document({
      map: session.path,
      entries: list.map(({ shown: _, ...fields }) => fields),
    });
    return;
  }
  const { paint } = output;
  output.line(
    await table(
      ['path', 'importance', 'zone', 'distance px'],
      list.map(({ shown, importance, zone, distance }) => [
        shown,
        String(importance),
        zone === null ? 'in the tree' : paint.zone(zone)(zone),
        distance === null ? '' : String(Math.round(distance)),
      ]),
      ['left', 'right', 'left', 'right'],
      paint,
    ),
  );
}
