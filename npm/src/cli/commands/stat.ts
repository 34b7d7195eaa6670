/** `stat`: all facts about a node. */
import type { Command } from 'commander';

import { command, outputOf, READ_EXITS, snapshotOption, type ViewOptions } from '../command.js';
import {
  deviceText,
  groupName,
  nodeDocument,
  type NodeDocument,
  userName,
  zoneOf,
} from '../describe.js';
import { humanSize, humanTime, type Output, pathFields, plural } from '../output.js';
import {
  type Attributes,
  isDirectory,
  isLink,
  mapPath,
  milliseconds,
  modeString,
  type Session,
  type Timestamp,
  typeName,
  withView,
} from '../session.js';

interface Options extends ViewOptions {
  follow?: boolean;
}

interface AttributeDocument {
  name: string;
  /** Base64. */
  value: string;
}

export function define(): Command {
  return command('stat', 'Show all facts about files in a map', {
    json: {
      map: 'the map',
      entries:
        'list of nodes, each with `zone` (or null) and `xattrs`: list of `name`, `value` (base64)',
    },
    exits: READ_EXITS,
    examples: [
      ['aetherflow stat map.rts.png /etc/hosts', 'one file'],
      ['aetherflow stat --json map.rts.png /etc/hosts', 'for a script'],
    ],
  })
    .argument('<map>', 'the map')
    .argument('<path...>', 'paths in the map')
    .option('-L, --follow', 'the target of a symbolic link, not the link')
    .addOption(snapshotOption())
    .action(run);
}

async function run(map: string, paths: string[], options: Options): Promise<void> {
  const output = outputOf(options);
  await withView(map, options.snapshot, (session) => {
    const documents: (NodeDocument & { zone: string | null; xattrs: AttributeDocument[] })[] = [];
    for (const [index, argument] of paths.entries()) {
      const path = mapPath(argument);
      const attributes = session.stat(session.resolve(path, options.follow === true));
      if (output.json) {
        documents.push({
          ...nodeDocument(session, path, attributes),
          zone: zoneOf(session, attributes.ino) ?? null,
          xattrs: session.attributeNames(attributes.ino).map((name) => ({
            name: pathFields(name).path,
            value: session.attribute(attributes.ino, name).toString('base64'),
          })),
        });
      } else {
        if (index > 0) output.line();
        print(session, path, attributes, output);
      }
    }
    if (output.json) output.document({ map, entries: documents });
  });
}

function print(session: Session, path: Buffer, attributes: Attributes, output: Output): void {
  const { paint } = output;
  const line = (title: string, value: string): void => {
    output.line(`${paint.faint(title.padStart(11))}  ${value}`);
  };
  const { ino, mode } = attributes;
  const target = isLink(mode) ? ` -> ${output.name(session.readlink(ino))}` : '';
  const device = deviceText(attributes);
  line('path', paint.strong(output.name(path)) + target);
  line('type', typeName(mode) + (device === undefined ? '' : ` ${device}`));
  line(
    'size',
    isDirectory(mode)
      ? plural(attributes.size, 'entry', 'entries')
      : `${attributes.size} bytes (${humanSize(attributes.size)})`,
  );
  line('stored', `${humanSize(attributes.blocks * 512)} in clusters`);
  line('mode', `${modeString(mode)} (${(mode & 0o7777).toString(8).padStart(4, '0')})`);
  line(
    'owner',
    `${userName(attributes.uid)} (${attributes.uid}), group ${groupName(attributes.gid)} (${attributes.gid})`,
  );
  line('inode', `${ino}, ${attributes.links} ${attributes.links === 1 ? 'link' : 'links'}`);
  const zone = zoneOf(session, ino);
  line(
    'importance',
    `${attributes.importance}${zone === undefined ? '' : `, in zone ${paint.zone(zone)(zone)}`}`,
  );
  line('modified', exact(attributes.mtime));
  line('changed', exact(attributes.ctime));
  line('accessed', exact(attributes.atime));
  line('created', exact(attributes.birthtime));
  for (const name of session.attributeNames(ino)) {
    const value = session.attribute(ino, name);
    line('xattr', `${output.name(name)} (${value.length} bytes)`);
  }
}

function exact(time: Timestamp): string {
  return `${humanTime(milliseconds(time))}.${String(time.nanoseconds).padStart(9, '0')}`;
}
