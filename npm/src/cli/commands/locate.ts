/** `locate`: where the bytes of a file lie in the picture. */
import type { Command } from 'commander';

import type { Extent } from '../../contract.js';
import { command, outputOf, READ_EXITS, snapshotOption, type ViewOptions } from '../command.js';
import { humanSize, pathFields, plural, table } from '../output.js';
import { mapPath, type Session, withView } from '../session.js';

/** Extents asked for at once. */
const PAGE = 1024;

export function define(): Command {
  return command('locate', 'Show where the bytes of a file lie in the picture', {
    json: {
      map: 'the map',
      path: 'the file',
      'pathBase64?': 'its bytes, where they are not UTF-8',
      size: 'bytes',
      extents:
        'list of `kind` (raw, zstd, fill, pattern, inline, hole), `offset` and `length` in the file, and where stored: `cluster`, `clusters`, `storedBytes`, `extentBytes`, `extentOffset`, `sheet`, `x`, `y` (pixel in the PNG), `planeX`, `planeY`, `distance`, `zone`',
    },
    exits: READ_EXITS,
    examples: [['aetherflow locate map.rts.png /etc/hosts', 'sheet, pixel, zone, compression']],
  })
    .argument('<map>', 'the map')
    .argument('<path>', 'a file in the map')
    .addOption(snapshotOption())
    .action(run);
}

async function run(map: string, argument: string, options: ViewOptions): Promise<void> {
  const output = outputOf(options);
  await withView(map, options.snapshot, async (session) => {
    const path = mapPath(argument);
    const ino = session.resolve(path);
    const extents = allExtents(session, ino);
    if (output.json) {
      output.document({ map, ...pathFields(path), size: session.stat(ino).size, extents });
      return;
    }
    const { paint } = output;
    if (!output.quiet) {
      const size = humanSize(session.stat(ino).size);
      output.line(
        `${paint.strong(output.name(path))}  ${size}, ${plural(extents.length, 'extent')}`,
      );
    }
    const rows = extents.map((extent) => [
      String(extent.offset),
      String(extent.length),
      extent.kind,
      extent.storedBytes === undefined ? '' : humanSize(extent.storedBytes),
      extent.cluster === undefined ? '' : clusterText(extent),
      extent.sheet === undefined ? '' : String(extent.sheet),
      extent.x === undefined || extent.y === undefined ? '' : `${extent.x}, ${extent.y}`,
      extent.zone === undefined ? '' : paint.zone(extent.zone)(extent.zone),
    ]);
    output.line(
      await table(
        ['offset', 'bytes', 'kind', 'stored', 'clusters', 'sheet', 'pixel x, y', 'zone'],
        rows,
        ['right', 'right', 'left', 'right', 'left', 'right', 'right', 'left'],
        paint,
      ),
    );
  });
}

function allExtents(session: Session, ino: number): Extent[] {
  const list: Extent[] = [];
  let from = 0;
  for (;;) {
    const page: Extent[] = session.raw.extents(ino, from, PAGE);
    list.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return list;
    from = last.offset + last.length;
  }
}

function clusterText({ cluster, clusters }: Extent): string {
  const first = cluster ?? 0;
  const count = clusters ?? 1;
  return count === 1 ? String(first) : `${first}–${first + count - 1}`;
}
