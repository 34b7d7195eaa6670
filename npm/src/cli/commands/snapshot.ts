/** `snapshot`: states of a map that are kept. */
import type { Command } from 'commander';

import { command, outputOf, READ_EXITS, WRITE_EXITS } from '../command.js';
import {
  type CommonOptions,
  humanCount,
  humanSize,
  humanTime,
  type Output,
  plural,
  table,
} from '../output.js';
import { withSession } from '../session.js';
import { MOUNTED_FIELD, mountedField, tellMounted, withWhole } from '../whole.js';
import { type Change, changes } from '../differences.js';

export function define(): Command {
  const made = command('snapshot', 'Keep, list, compare and bring back states of a map', {
    exits: WRITE_EXITS,
    notes:
      'A snapshot costs nothing when it is made; it keeps what is changed or removed afterwards.',
    examples: [
      ['aetherflow snapshot create map.rts.png monday', 'keep the present state'],
      ['aetherflow snapshot list map.rts.png', 'what is kept'],
      ['aetherflow snapshot show map.rts.png monday', 'what has changed since'],
      ['aetherflow snapshot restore map.rts.png monday', 'go back; the present is kept as well'],
    ],
  });
  made.addCommand(
    command('create', 'Keep the present state under a name', {
      json: { map: 'the map', snapshot: 'the snapshot', ...MOUNTED_FIELD },
      exits: WRITE_EXITS,
      examples: [['aetherflow snapshot create map.rts.png monday --note "before the update"', '']],
    })
      .argument('<map>', 'the map')
      .argument('<name>', 'name of the snapshot')
      .option('--note <text>', 'a remark kept with it')
      .action(create),
  );
  made.addCommand(
    command('list', 'List the snapshots of a map, newest first', {
      json: {
        map: 'the map',
        snapshots:
          'list of `name`, `note`, `id`, `created` (milliseconds since 1970), `automatic`, `parent` (or null), `files`, `bytes`',
        ...MOUNTED_FIELD,
      },
      exits: READ_EXITS,
      examples: [['aetherflow snapshot list map.rts.png', 'names, times, sizes']],
    })
      .argument('<map>', 'the map')
      .action(list),
  );
  made.addCommand(
    command('show', 'Show what differs between a snapshot and the present', {
      json: {
        map: 'the map',
        snapshot: 'the snapshot',
        against: 'the other snapshot, null for the present',
        added: 'how many paths',
        removed: 'how many paths',
        changed: 'how many paths',
        changes:
          'list of `kind` (added, removed, changed), `path`, `what` (data, target, mode, owner, time, xattrs, type, device), `sizeBefore`, `sizeAfter` (bytes or null)',
      },
      exits: READ_EXITS,
      examples: [
        ['aetherflow snapshot show map.rts.png monday', 'added +, removed -, changed ~'],
        ['aetherflow snapshot show map.rts.png monday --against tuesday', 'two snapshots'],
      ],
    })
      .argument('<map>', 'the map')
      .argument('<name>', 'name of the snapshot')
      .option('--against <name>', 'compare with this snapshot instead of the present')
      .action(show),
  );
  made.addCommand(
    command('restore', 'Make a snapshot the present state; the present is kept as a snapshot', {
      json: {
        map: 'the map',
        restored: 'name',
        before: 'the snapshot that keeps the state before',
        ...MOUNTED_FIELD,
      },
      exits: WRITE_EXITS,
      examples: [['aetherflow snapshot restore map.rts.png monday', 'go back']],
    })
      .argument('<map>', 'the map')
      .argument('<name>', 'name of the snapshot')
      .action(restore),
  );
  made.addCommand(
    command('delete', 'Delete snapshots and free what only they hold', {
      json: { map: 'the map', deleted: 'names', ...MOUNTED_FIELD },
      exits: WRITE_EXITS,
      examples: [['aetherflow snapshot delete map.rts.png monday', 'one snapshot']],
    })
      .argument('<map>', 'the map')
      .argument('<name...>', 'names of snapshots')
      .action(remove),
  );
  return made;
}

interface CreateOptions extends CommonOptions {
  note?: string;
}

async function create(map: string, name: string, options: CreateOptions): Promise<void> {
  const output = outputOf(options);
  await withWhole(map, 'r+', async (whole) => {
    const snapshot = await whole.createSnapshot(name, options.note);
    if (output.json) output.document({ map, snapshot, ...mountedField(whole) });
    output.done(`snapshot ${name} created`);
    tellMounted(whole, output);
  });
}

async function list(map: string, options: CommonOptions): Promise<void> {
  const output = outputOf(options);
  await withWhole(map, 'r', async (whole) => {
    const snapshots = await whole.listSnapshots();
    tellMounted(whole, output);
    if (output.json) {
      output.document({ map, snapshots, ...mountedField(whole) });
      return;
    }
    if (snapshots.length === 0) {
      output.done('no snapshots');
      return;
    }
    output.line(
      await table(
        ['name', 'created', 'files', 'size', 'note'],
        snapshots.map((snapshot) => [
          output.name(snapshot.name) +
            (snapshot.automatic ? output.paint.faint(' (automatic)') : ''),
          humanTime(snapshot.created),
          humanCount(snapshot.files),
          humanSize(snapshot.bytes),
          output.name(snapshot.note),
        ]),
        ['left', 'left', 'right', 'right', 'left'],
        output.paint,
      ),
    );
  });
}

interface ShowOptions extends CommonOptions {
  against?: string;
}

async function show(map: string, name: string, options: ShowOptions): Promise<void> {
  const output = outputOf(options);
  await withSession(map, 'r', (session) => {
    const before = session.snapshot(name);
    const after = options.against === undefined ? session : session.snapshot(options.against);
    const found = changes(before, after);
    const totals = { added: 0, removed: 0, changed: 0 };
    for (const change of found) totals[change.kind] += 1;
    const snapshot = session.snapshots().find((candidate) => candidate.name === name) ?? null;
    const against = options.against ?? null;
    if (output.json) {
      output.document({
        map,
        snapshot,
        against,
        ...totals,
        changes: found.map(({ shown: _, ...fields }) => fields),
      });
      return;
    }
    printChanges(found, output);
    const other = against ?? 'the present';
    if (!output.quiet) {
      output.line(
        `${found.length === 0 ? '' : '\n'}from ${name} to ${other}: ${plural(totals.added, 'path')} added, ${humanCount(totals.removed)} removed, ${humanCount(totals.changed)} changed`,
      );
    }
  });
}

function printChanges(found: Change[], output: Output): void {
  const { paint } = output;
  const marks = {
    added: paint.good('+'),
    removed: paint.bad('-'),
    changed: paint.warn('~'),
  };
  const size = (bytes: number | null): string => (bytes === null ? '' : humanSize(bytes));
  for (const change of found) {
    let detail: string;
    if (change.kind === 'changed') {
      const sizes =
        change.sizeBefore === change.sizeAfter
          ? size(change.sizeAfter)
          : `${size(change.sizeBefore)} -> ${size(change.sizeAfter)}`;
      detail = `${sizes}${sizes === '' ? '' : '  '}${change.what.join(', ')}`;
    } else {
      detail = size(change.kind === 'added' ? change.sizeAfter : change.sizeBefore);
    }
    const gap = detail === '' ? '' : `  ${paint.faint(detail)}`;
    output.line(`${marks[change.kind]} ${output.name(change.shown)}${gap}`);
  }
}

async function restore(map: string, name: string, options: CommonOptions): Promise<void> {
  const output = outputOf(options);
  await withWhole(map, 'r+', async (whole) => {
    const before = await whole.restoreSnapshot(name);
    if (output.json) output.document({ map, restored: name, before, ...mountedField(whole) });
    output.done(`snapshot ${name} restored; the state before is kept as ${before.name}`);
    tellMounted(whole, output);
  });
}

async function remove(map: string, names: string[], options: CommonOptions): Promise<void> {
  const output = outputOf(options);
  await withWhole(map, 'r+', async (whole) => {
    await whole.deleteSnapshots(names);
    if (output.json) output.document({ map, deleted: names, ...mountedField(whole) });
    output.done(`${plural(names.length, 'snapshot')} deleted`);
    tellMounted(whole, output);
  });
}
