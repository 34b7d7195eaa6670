/** `tree`: a map's directories drawn as a tree. */
import type { Command } from 'commander';

import {
  command,
  integer,
  outputOf,
  READ_EXITS,
  snapshotOption,
  type ViewOptions,
} from '../command.js';
import { nodeDocument, type NodeDocument } from '../describe.js';
import { humanSize, plural } from '../output.js';
import { isDirectory, isLink, mapPath, type Session, withView } from '../session.js';
import { paintName } from './ls.js';

interface Options extends ViewOptions {
  depth?: number;
  size?: boolean;
  directories?: boolean;
}

export function define(): Command {
  return command('tree', 'Draw the directories of a map as a tree', {
    json: { map: 'the map', entries: 'list of nodes, parents first, each with `depth` (from 1)' },
    exits: READ_EXITS,
    examples: [
      ['aetherflow tree map.rts.png', 'everything'],
      ['aetherflow tree -L 2 -s map.rts.png /usr', 'two levels, with sizes'],
    ],
  })
    .argument('<map>', 'the map')
    .argument('[path]', 'where to start', '/')
    .option('-L, --depth <levels>', 'no deeper than this', integer(1, 4096))
    .option('-s, --size', 'sizes of files')
    .option('-d, --directories', 'directories only')
    .addOption(snapshotOption())
    .action(run);
}

async function run(map: string, argument: string, options: Options): Promise<void> {
  const output = outputOf(options);
  await withView(map, options.snapshot, (session) => {
    const path = mapPath(argument);
    const start = session.resolve(path);
    const counts = { directories: 0, files: 0 };
    if (output.json) {
      output.document({ map, entries: documents(session, start, path, options) });
      return;
    }
    const { paint } = output;
    output.line(paint.directory(output.name(path)));
    // Branches are drawn from what follows, so a directory's entries are taken as a whole.
    const draw = (ino: number, prefix: string, depth: number): void => {
      const entries = session
        .list(ino)
        .filter((entry) => options.directories !== true || entry.type === 4);
      for (const [index, entry] of entries.entries()) {
        const last = index === entries.length - 1;
        const attributes = session.stat(entry.ino);
        const name = paintName({ name: entry.name, attributes }, output).text;
        const size =
          options.size === true && !isDirectory(attributes.mode)
            ? `  ${paint.faint(humanSize(attributes.size))}`
            : '';
        const arrow = isLink(attributes.mode)
          ? ` -> ${output.name(session.readlink(entry.ino))}`
          : '';
        output.line(`${paint.faint(prefix + (last ? '└── ' : '├── '))}${name}${arrow}${size}`);
        if (isDirectory(attributes.mode)) {
          counts.directories += 1;
          if (depth < Math.min(options.depth ?? Infinity, 4096)) {
            draw(entry.ino, prefix + (last ? '    ' : '│   '), depth + 1);
          }
        } else {
          counts.files += 1;
        }
      }
    };
    if (isDirectory(session.stat(start).mode)) draw(start, '', 1);
    if (!output.quiet) {
      const files = options.directories === true ? '' : `, ${plural(counts.files, 'file')}`;
      output.line(`\n${plural(counts.directories, 'directory', 'directories')}${files}`);
    }
  });
}

function documents(
  session: Session,
  start: number,
  path: Buffer,
  options: Options,
): (NodeDocument & { depth: number })[] {
  const list: (NodeDocument & { depth: number })[] = [];
  if (!isDirectory(session.stat(start).mode)) return list;
  for (const node of session.walk(start, path, options.depth)) {
    if (options.directories === true && node.type !== 4) continue;
    list.push({
      ...nodeDocument(session, node.path, session.stat(node.ino)),
      depth: node.depth,
    });
  }
  return list;
}
