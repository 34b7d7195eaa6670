/** `ls`: what is in a directory of a map. */
import type { Command } from 'commander';

import { command, outputOf, READ_EXITS, snapshotOption, type ViewOptions } from '../command.js';
import {
  deviceText,
  groupName,
  listingTime,
  nodeDocument,
  type NodeDocument,
  userName,
  zoneOf,
} from '../describe.js';
import { humanSize, type Output } from '../output.js';
import {
  type Attributes,
  isDirectory,
  isLink,
  joinPath,
  mapPath,
  modeString,
  type Session,
  TYPE,
  withView,
} from '../session.js';

interface Options extends ViewOptions {
  long?: boolean;
  human?: boolean;
  recursive?: boolean;
  directory?: boolean;
  sortTime?: boolean;
  sortSize?: boolean;
  reverse?: boolean;
  inode?: boolean;
  zone?: boolean;
}

interface Row {
  readonly name: Buffer;
  readonly path: Buffer;
  readonly attributes: Attributes;
}

export function define(): Command {
  return command('ls', 'List directories of a map', {
    json: { map: 'the map', entries: 'list of nodes; with --zone each has `zone` as well' },
    exits: READ_EXITS,
    examples: [
      ['aetherflow ls map.rts.png', 'the root'],
      ['aetherflow ls -lh map.rts.png /usr/lib', 'with modes, owners, sizes and times'],
      ['aetherflow ls -lt --zone map.rts.png', 'newest first, with the zone of each file'],
      ['aetherflow ls --snapshot monday map.rts.png', 'as it was in a snapshot'],
    ],
  })
    .argument('<map>', 'the map')
    .argument('[path...]', 'directories or files in the map', ['/'])
    .option('-l, --long', 'mode, links, owner, group, size, time')
    .option('-h, --human', 'sizes as 1.5 MiB')
    .option('-R, --recursive', 'directories below as well')
    .option('-d, --directory', 'the directory itself, not what is in it')
    .option('-t, --sort-time', 'newest first')
    .option('-S, --sort-size', 'largest first')
    .option('-r, --reverse', 'the other way round')
    .option('-i, --inode', 'inode numbers')
    .option('-Z, --zone', 'zone and importance of each file')
    .addOption(snapshotOption())
    .action(run);
}

async function run(map: string, paths: string[], options: Options): Promise<void> {
  const output = outputOf(options);
  await withView(map, options.snapshot, (session) => {
    const documents: NodeDocument[] = [];
    const show = (rows: Row[]): void => {
      const sorted = sort(rows, options);
      if (output.json) {
        for (const row of sorted) documents.push(document(session, row, options));
      } else {
        print(session, sorted, options, output);
      }
    };
    const targets: { path: Buffer; attributes: Attributes }[] = paths.map((argument) => {
      const path = mapPath(argument);
      return { path, attributes: session.stat(session.resolve(path, options.long !== true)) };
    });
    const plain = targets.filter(
      ({ attributes }) => options.directory === true || !isDirectory(attributes.mode),
    );
    if (plain.length > 0) show(plain.map((target) => ({ ...target, name: target.path })));
    const listed = targets.filter((target) => !plain.includes(target));
    let first = plain.length === 0;
    const titled = options.recursive === true || targets.length > 1;
    const list = (path: Buffer, ino: number): void => {
      if (titled) {
        if (!first) output.line();
        output.line(`${output.name(path)}:`);
        first = false;
      }
      const rows = session.list(ino).map((entry) => ({
        name: entry.name,
        path: joinPath(path, entry.name),
        attributes: session.stat(entry.ino),
      }));
      show(rows);
    };
    for (const { path, attributes } of listed) {
      list(path, attributes.ino);
      if (options.recursive !== true) continue;
      for (const node of session.walk(attributes.ino, path)) {
        if (node.type === 4) list(node.path, node.ino);
      }
    }
    if (output.json) output.document({ map, entries: documents });
  });
}

function document(
  session: Session,
  row: Row,
  options: Options,
): NodeDocument & { zone?: string | null } {
  const facts = nodeDocument(session, row.path, row.attributes);
  if (options.zone !== true) return facts;
  return { ...facts, zone: zoneOf(session, row.attributes.ino) ?? null };
}

function sort(rows: Row[], options: Options): Row[] {
  const sorted = [...rows];
  if (options.sortTime === true) {
    sorted.sort(
      (a, b) =>
        b.attributes.mtime.seconds - a.attributes.mtime.seconds ||
        b.attributes.mtime.nanoseconds - a.attributes.mtime.nanoseconds,
    );
  } else if (options.sortSize === true) {
    sorted.sort((a, b) => b.attributes.size - a.attributes.size);
  }
  return options.reverse === true ? sorted.reverse() : sorted;
}

function print(session: Session, rows: Row[], options: Options, output: Output): void {
  const names = rows.map((row) => paintName(row, output));
  if (options.long !== true) {
    const prefixes = rows.map(
      (row) =>
        (options.inode === true ? `${row.attributes.ino} ` : '') +
        (options.zone === true ? `${zoneColumn(session, row, output)}  ` : ''),
    );
    const cells = names.map((name, index) => ({
      text: `${prefixes[index] ?? ''}${name.text}`,
      width: (prefixes[index] ?? '').length + name.width,
    }));
    const simple = !output.terminal || options.zone === true;
    for (const line of simple ? cells.map((cell) => cell.text) : columns(cells, output.columns)) {
      output.line(line);
    }
    return;
  }
  const now = Date.now();
  const table = rows.map((row, index) => {
    const { attributes } = row;
    const bytes = sizeColumn(attributes, options);
    const arrow = isLink(attributes.mode)
      ? ` -> ${output.name(session.readlink(attributes.ino))}`
      : '';
    return [
      ...(options.inode === true ? [String(attributes.ino)] : []),
      modeString(attributes.mode),
      String(attributes.links),
      userName(attributes.uid),
      groupName(attributes.gid),
      deviceText(attributes) ?? bytes,
      listingTime(attributes, now),
      ...(options.zone === true ? [zoneColumn(session, row, output)] : []),
      `${names[index]?.text ?? ''}${arrow}`,
    ];
  });
  const left = new Set([options.inode === true ? 3 : 2, options.inode === true ? 4 : 3]);
  const widths: number[] = [];
  for (const cells of table) {
    for (const [column, cell] of cells.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  for (const cells of table) {
    const padded = cells.map((cell, column) => {
      if (column === cells.length - 1) return cell;
      const width = widths[column] ?? 0;
      return left.has(column) ? cell.padEnd(width) : cell.padStart(width);
    });
    output.line(padded.join(' '));
  }
}

/** The size; for people a directory has none, its number of entries says nothing about space. */
function sizeColumn(attributes: Attributes, options: Options): string {
  if (options.human !== true) return String(attributes.size);
  return isDirectory(attributes.mode) ? '-' : humanSize(attributes.size);
}

function zoneColumn(session: Session, row: Row, output: Output): string {
  const zone = isDirectory(row.attributes.mode) ? undefined : zoneOf(session, row.attributes.ino);
  const shown = (zone ?? '-').padEnd(9);
  const importance = String(row.attributes.importance).padStart(3);
  return `${zone === undefined ? shown : output.paint.zone(zone)(shown)} ${importance}`;
}

/** A coloured name and how many columns it takes. */
export function paintName(
  row: { name: Buffer; attributes: Attributes },
  output: Output,
): { text: string; width: number } {
  const text = output.name(row.name);
  const { mode } = row.attributes;
  const { paint } = output;
  switch (mode & TYPE.mask) {
    case TYPE.directory:
      return { text: paint.directory(text), width: text.length };
    case TYPE.link:
      return { text: paint.link(text), width: text.length };
    case TYPE.file:
      return { text: (mode & 0o111) === 0 ? text : paint.executable(text), width: text.length };
    default:
      return { text: paint.special(text), width: text.length };
  }
}

/** Cells in as many columns as fit, filled downward. */
function columns(cells: { text: string; width: number }[], available: number): string[] {
  for (let count = Math.min(cells.length, 16); count > 1; count -= 1) {
    const rows = Math.ceil(cells.length / count);
    const widths: number[] = [];
    for (const [index, cell] of cells.entries()) {
      const column = Math.floor(index / rows);
      widths[column] = Math.max(widths[column] ?? 0, cell.width);
    }
    const total = widths.reduce((sum, width) => sum + width + 2, -2);
    if (total > available) continue;
    return Array.from({ length: rows }, (_, row) => {
      let line = '';
      for (let column = 0; column < widths.length; column += 1) {
        const cell = cells[column * rows + row];
        if (cell === undefined) continue;
        const last = cells[(column + 1) * rows + row] === undefined;
        line += cell.text + (last ? '' : ' '.repeat((widths[column] ?? 0) - cell.width + 2));
      }
      return line;
    });
  }
  return cells.map((cell) => cell.text);
}
