// Every command does what its help says; --json prints the documented fields.
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';

import { COMMANDS } from '../../npm/dist/cli/registry.js';
import { jsonFields } from '../../npm/dist/cli/command.js';
import { content, json, ok, random, run, scratch, sha } from './support.mjs';

async function documented(name, inner) {
  const made = (await COMMANDS.find((entry) => entry.name === name).load()).define();
  const fields = jsonFields.get(
    inner === undefined ? made : made.commands.find((one) => one.name() === inner),
  );
  return Object.keys(fields);
}

/** The document's fields are the documented ones. */
async function assertFields(document, name, inner) {
  const fields = await documented(name, inner);
  const must = fields.filter((field) => !field.endsWith('?'));
  const may = fields.map((field) => field.replace(/\?$/, ''));
  const found = Object.keys(document);
  assert.deepEqual(
    must.filter((field) => !found.includes(field)),
    [],
    `${name}: missing fields`,
  );
  assert.deepEqual(
    found.filter((field) => !may.includes(field)),
    [],
    `${name}: undocumented fields`,
  );
}

function mapWith(t, files = {}) {
  const directory = scratch(t);
  const source = path.join(directory, 'source');
  fs.mkdirSync(source);
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(source, name)), { recursive: true });
    fs.writeFileSync(path.join(source, name), text);
  }
  const map = path.join(directory, 'map.rts.png');
  ok(['build', source, map]);
  return { directory, map, source };
}

test('create makes an empty map', async (t) => {
  const directory = scratch(t);
  const map = path.join(directory, 'map.rts.png');
  const made = json(['create', '--width', '512', '--label', 'mine', map]);
  await assertFields(made, 'create');
  assert.equal(made.width, 512);
  assert.equal(fs.readFileSync(map).subarray(1, 4).toString(), 'PNG');
  const info = json(['info', map]);
  await assertFields(info, 'info');
  assert.equal(info.label, 'mine');
  assert.equal(info.files, 0);
  assert.equal(run(['create', map]).code, 10);
  ok(['create', '--force', map]);
  ok(['create', '--expected-size', '2G', path.join(directory, 'large.rts.png')]);
});

test('build reports what it did', async (t) => {
  const { directory, source } = mapWith(t, { 'a/b.txt': 'text', c: 'c' });
  const map = path.join(directory, 'again.rts.png');
  const report = json(['build', source, map]);
  await assertFields(report, 'build');
  assert.equal(report.files, 2);
  assert.equal(report.directories, 1);
  assert.equal(report.bytes, 5);
  const text = ok(['build', '--force', source, map]);
  assert.equal(text.stdout, '');
  assert.match(text.stderr, /2 files in 2 directories/);
  assert.equal(ok(['build', '--force', '--quiet', source, map]).stderr, '');
});

test('ls, tree, stat, find', async (t) => {
  const files = {
    'src/main.rs': 'fn main() {}',
    'src/lib.rs': '// lib',
    'README.md': content(random(2), 70000),
    empty: '',
  };
  const { map, source } = mapWith(t, files);
  assert.equal(ok(['ls', map]).stdout, 'README.md\nempty\nsrc\n');
  assert.equal(ok(['ls', map, 'src']).stdout, 'lib.rs\nmain.rs\n');
  const long = ok(['ls', '-l', map]).stdout.split('\n');
  assert.match(long[0], /^-rw-r--r-- +1 \S+ +\S+ +70000 .+ README\.md$/);
  assert.match(ok(['ls', '-lh', map]).stdout, /68\.4 KiB/);
  assert.equal(ok(['ls', '-S', map]).stdout.split('\n')[0], 'README.md');
  assert.match(ok(['ls', '-R', map]).stdout, /\/src:\nlib\.rs\nmain\.rs/);
  assert.match(ok(['ls', '-d', map, '/src']).stdout, /^\/src\n$/);
  assert.match(ok(['ls', '-liZ', map]).stdout, /README\.md/);
  const listed = json(['ls', map]);
  await assertFields(listed, 'ls');
  const readme = listed.entries.find((entry) => entry.path === '/README.md');
  assert.equal(readme.type, 'file');
  assert.equal(readme.size, 70000);
  assert.equal(
    readme.mode,
    (fs.statSync(path.join(source, 'README.md')).mode & 0o7777).toString(8).padStart(4, '0'),
  );
  const ns = fs.statSync(path.join(source, 'README.md'), {
    bigint: true,
  }).mtimeNs;
  assert.equal(readme.modified, `${ns / 1000000000n}.${String(ns % 1000000000n).padStart(9, '0')}`);

  assert.match(
    ok(['tree', map]).stdout,
    /├── README\.md\n├── empty\n└── src\n {4}├── lib\.rs\n {4}└── main\.rs\n\n1 directory, 4 files/,
  );
  assert.doesNotMatch(ok(['tree', '-L', '1', map]).stdout, /lib\.rs/);
  const tree = json(['tree', map]);
  await assertFields(tree, 'tree');
  assert.deepEqual(
    tree.entries.map((entry) => entry.depth),
    [1, 1, 1, 2, 2],
  );

  const stat = json(['stat', map, '/src/main.rs', '/']);
  await assertFields(stat, 'stat');
  assert.equal(stat.entries[0].size, 12);
  assert.equal(stat.entries[1].type, 'directory');
  assert.match(ok(['stat', map, '/README.md']).stdout, /size {2}70000 bytes \(68\.4 KiB\)/);

  const find = (...args) =>
    ok(['find', map, ...args])
      .stdout.trim()
      .split('\n')
      .filter(Boolean);
  assert.deepEqual(find('--name', '*.rs'), ['/src/lib.rs', '/src/main.rs']);
  assert.deepEqual(find('-name', '*.md', '-type', 'f'), ['/README.md']);
  assert.deepEqual(find('--type', 'd'), ['/', '/src']);
  assert.deepEqual(find('--size', '+1k'), ['/README.md']);
  assert.deepEqual(find('--size', '12'), ['/src/main.rs']);
  assert.deepEqual(find('--empty'), ['/empty']);
  assert.deepEqual(find('--maxdepth', '1', '--type', 'f'), ['/README.md', '/empty']);
  assert.deepEqual(find('--path', '/src/**'), ['/src/lib.rs', '/src/main.rs']);
  assert.deepEqual(find('/src', '--iname', 'MAIN*'), ['/src/main.rs']);
  assert.equal(ok(['find', map, '--name', 'lib.rs', '--print0']).stdout, '/src/lib.rs\0');
  const zones = ['hot', 'warm', 'temperate', 'cool', 'cold'].flatMap((zone) =>
    find('--zone', zone),
  );
  assert.ok(zones.includes('/README.md'));
  await assertFields(json(['find', map]), 'find');
});

test('zone and locate', async (t) => {
  const { map } = mapWith(t, { file: content(random(3), 500000, 'noise') });
  const zones = json(['zone', map]);
  await assertFields(zones, 'zone');
  assert.deepEqual(
    zones.zones.map(({ zone }) => zone),
    ['hot', 'warm', 'temperate', 'cool', 'cold'],
  );
  assert.match(ok(['zone', map]).stdout, /zone +distance px +capacity +used +full/);
  const file = json(['zone', map, '/file']);
  await assertFields(file, 'zone');
  assert.ok(zones.zones.some(({ zone }) => zone === file.entries[0].zone));
  const located = json(['locate', map, '/file']);
  await assertFields(located, 'locate');
  assert.equal(
    located.extents.reduce((sum, { length }) => sum + length, 0),
    500000,
  );
  for (const extent of located.extents)
    assert.ok(Number.isInteger(extent.x) && Number.isInteger(extent.cluster));
  assert.match(ok(['locate', map, '/file']).stdout, /raw/);
});

test('cat, get, put, and - for stdin and stdout', async (t) => {
  const bytes = content(random(5), 3 << 20, 'noise');
  const { directory, map } = mapWith(t, {
    'big.bin': bytes,
    'd/x': 'x',
    'd/y': 'y',
  });
  assert.ok(ok(['cat', map, '/big.bin']).bytes.equals(bytes));
  assert.equal(ok(['cat', map, '/d/x', '/d/y']).stdout, 'xy');
  assert.ok(
    ok(['cat', '--offset', '1M', '--length', '7', map, '/big.bin']).bytes.equals(
      bytes.subarray(1 << 20, (1 << 20) + 7),
    ),
  );
  assert.ok(ok(['get', map, '/big.bin', '-']).bytes.equals(bytes));
  const out = path.join(directory, 'out');
  await assertFields(json(['get', map, '/big.bin', out]), 'get');
  assert.ok(fs.readFileSync(out).equals(bytes));
  assert.equal(run(['get', map, '/big.bin', out]).code, 10);
  ok(['get', '--force', map, '/d/x', out]);
  assert.equal(fs.readFileSync(out, 'utf8'), 'x');
  const into = path.join(directory, 'into');
  fs.mkdirSync(into);
  ok(['get', map, '/d/x', '/d/y', into]);
  assert.deepEqual(fs.readdirSync(into), ['x', 'y']);
  assert.equal(run(['get', map, '/d', into]).code, 2);
  ok(['get', '-r', map, '/d', into]);
  assert.deepEqual(fs.readdirSync(path.join(into, 'd')), ['x', 'y']);
  ok(['get', '-r', map, '/d', path.join(into, 'renamed')]);
  assert.deepEqual(fs.readdirSync(path.join(into, 'renamed')), ['x', 'y']);

  const host = path.join(directory, 'host.txt');
  fs.writeFileSync(host, 'from the host');
  fs.chmodSync(host, 0o640);
  fs.utimesSync(host, 1e9, 1.1e9);
  await assertFields(json(['put', map, host, '/new.txt']), 'put');
  assert.equal(ok(['cat', map, '/new.txt']).stdout, 'from the host');
  const [entry] = json(['stat', map, '/new.txt']).entries;
  assert.equal(entry.mode, '0640');
  assert.equal(entry.modified, '1100000000.000000000');
  ok(['put', map, host, '/d']);
  assert.equal(ok(['cat', map, '/d/host.txt']).stdout, 'from the host');
  ok(['put', map, '-', '/stdin'], { input: bytes });
  assert.ok(ok(['cat', map, '/stdin']).bytes.equals(bytes));
  assert.equal(run(['put', '-n', map, host, '/stdin']).code, 10);
  ok(['put', '--importance', '250', map, host, '/hot']);
  assert.equal(json(['stat', map, '/hot']).entries[0].importance, 250);
  assert.equal(run(['put', map, into, '/tree']).code, 2);
  ok(['put', '-r', map, into, '/tree']);
  assert.equal(ok(['cat', map, '/tree/renamed/x']).stdout, 'x');
  fs.writeFileSync(path.join(into, 'x'), 'changed');
  fs.writeFileSync(path.join(into, 'added'), 'added');
  ok(['put', '-r', map, into, '/']);
  assert.equal(ok(['cat', map, '/into/added']).stdout, 'added');
  ok(['put', '-r', map, into, '/']);
  assert.equal(ok(['cat', map, '/into/x']).stdout, 'changed');
  assert.equal(run(['put', '-rn', map, into, '/']).code, 10);
  ok(['verify', map]);
});

test('cp, mv, rm, mkdir, ln', async (t) => {
  const { map } = mapWith(t, {
    'a/file': 'text'.repeat(30000),
    'a/b/inner': 'inner',
  });
  await assertFields(json(['cp', map, '/a/file', '/copy']), 'cp');
  assert.equal(ok(['cat', map, '/copy']).stdout.length, 120000);
  assert.equal(run(['cp', map, '/a', '/c']).code, 2);
  ok(['cp', '-rp', map, '/a', '/c']);
  assert.equal(ok(['cat', map, '/c/b/inner']).stdout, 'inner');
  const modified = (file) => json(['stat', map, file]).entries[0].modified;
  assert.equal(modified('/c/b/inner'), modified('/a/b/inner'));
  assert.equal(modified('/c'), modified('/a'));
  assert.equal(run(['cp', '-r', map, '/a', '/a/b']).code, 2);
  ok(['put', map, '-', '/copy'], { input: 'other' });
  assert.equal(ok(['cat', map, '/a/file']).stdout.length, 120000, 'the original stays');

  await assertFields(json(['mv', map, '/copy', '/moved']), 'mv');
  ok(['mv', map, '/moved', '/c']);
  assert.equal(ok(['cat', map, '/c/moved']).stdout, 'other');
  ok(['mv', '--exchange', map, '/a/b', '/c']);
  assert.equal(ok(['ls', map, '/c']).stdout, 'inner\n');
  assert.equal(run(['mv', '-n', map, '/c/inner', '/a/file']).code, 10);
  assert.equal(run(['mv', map, '/a', '/a/b/below']).code, 1);

  await assertFields(json(['mkdir', '-p', map, '/x/y/z']), 'mkdir');
  ok(['mkdir', '-p', map, '/x/y/z']);
  ok(['mkdir', '-m', '700', map, '/private']);
  assert.equal(json(['stat', map, '/private']).entries[0].mode, '0700');
  assert.equal(run(['mkdir', map, '/x']).code, 10);
  assert.equal(run(['mkdir', map, '/missing/x']).code, 9);

  await assertFields(json(['ln', map, '/a/file', '/hard']), 'ln');
  assert.equal(json(['stat', map, '/hard']).entries[0].links, 2);
  ok(['ln', '-s', map, '../a/file', '/x/soft']);
  assert.equal(json(['stat', map, '/x/soft']).entries[0].target, '../a/file');
  assert.equal(ok(['cat', map, '/x/soft']).stdout.length, 120000);
  assert.equal(run(['ln', map, '/a/file', '/hard']).code, 10);
  ok(['ln', '-f', map, '/a/file', '/x/soft']);

  assert.equal(run(['rm', map, '/x']).code, 10);
  const removed = json(['rm', '-r', map, '/x']);
  await assertFields(removed, 'rm');
  assert.equal(removed.removed, 4);
  assert.equal(run(['rm', map, '/x']).code, 9);
  ok(['rm', '-f', map, '/x']);
  assert.equal(run(['rm', '-r', map, '/']).code, 10);
  ok(['verify', map]);
});

test('snapshots', async (t) => {
  const { map } = mapWith(t, {
    'd/same': 'same',
    'd/changed': 'before',
    gone: 'gone',
  });
  await assertFields(
    json(['snapshot', 'create', '--note', 'a note', map, 'first']),
    'snapshot',
    'create',
  );
  ok(['put', map, '-', '/d/changed'], { input: 'afterwards' });
  ok(['rm', map, '/gone']);
  ok(['mkdir', map, '/new']);
  ok(['put', map, '-', '/new/file'], { input: 'new' });
  const list = json(['snapshot', 'list', map]);
  await assertFields(list, 'snapshot', 'list');
  assert.equal(list.snapshots[0].name, 'first');
  assert.equal(list.snapshots[0].note, 'a note');
  assert.match(ok(['snapshot', 'list', map]).stdout, /first +\d{4}-\d\d-\d\d .*a note/);
  const shown = json(['snapshot', 'show', map, 'first']);
  await assertFields(shown, 'snapshot', 'show');
  const changes = Object.fromEntries(shown.changes.map((change) => [change.path, change]));
  assert.equal(changes['/gone'].kind, 'removed');
  assert.equal(changes['/new/file'].kind, 'added');
  assert.equal(changes['/d/changed'].kind, 'changed');
  assert.deepEqual([changes['/d/changed'].sizeBefore, changes['/d/changed'].sizeAfter], [6, 10]);
  assert.ok(changes['/d/changed'].what.includes('data'));
  assert.equal(changes['/d/same'], undefined);
  assert.match(ok(['snapshot', 'show', map, 'first']).stdout, /^\+ \/new\//m);
  assert.equal(ok(['cat', '--snapshot', 'first', map, '/gone']).stdout, 'gone');
  assert.equal(ok(['ls', '--snapshot', 'first', map]).stdout, 'd\ngone\n');
  const restored = json(['snapshot', 'restore', map, 'first']);
  await assertFields(restored, 'snapshot', 'restore');
  assert.equal(ok(['cat', map, '/d/changed']).stdout, 'before');
  assert.equal(ok(['cat', '--snapshot', restored.before.name, map, '/new/file']).stdout, 'new');
  assert.equal(run(['snapshot', 'create', map, 'first']).code, 10);
  assert.equal(run(['snapshot', 'restore', map, 'nothing']).code, 9);
  await assertFields(json(['snapshot', 'delete', map, 'first']), 'snapshot', 'delete');
  assert.equal(json(['snapshot', 'list', map]).snapshots.length, 1);
  ok(['verify', map]);
});

test('verify, pack, unpack, compress, render', async (t) => {
  const { directory, map } = mapWith(t, {
    text: content(random(9), 2 << 20),
    noise: content(random(8), 1 << 20, 'noise'),
  });
  const report = json(['verify', '--deep', map]);
  await assertFields(report, 'verify');
  assert.equal(report.ok, true);
  assert.match(ok(['verify', map]).stdout, /result {2}no problems/);
  assert.doesNotMatch(ok(['verify', '-q', map]).stdout, /checked/);

  const packed = path.join(directory, 'packed.rts.png');
  await assertFields(json(['pack', map, packed]), 'pack');
  assert.ok(fs.statSync(packed).size < fs.statSync(map).size);
  assert.equal(json(['info', packed]).form, 'packed');
  assert.ok(ok(['cat', packed, '/text']).bytes.equals(ok(['cat', map, '/text']).bytes));
  assert.ok(ok(['pack', map, '-']).bytes.equals(fs.readFileSync(packed)));
  const live = path.join(directory, 'live.rts.png');
  await assertFields(json(['unpack', packed, live]), 'unpack');
  assert.equal(json(['info', live]).form, 'live');
  ok(['verify', live]);
  ok(['pack', live]);
  assert.equal(json(['info', live]).form, 'packed');
  ok(['unpack', live]);
  assert.equal(json(['info', live]).form, 'live');
  ok(['put', packed, '-', '/written'], { input: 'a packed map becomes live' });
  assert.equal(ok(['cat', packed, '/written']).stdout, 'a packed map becomes live');

  const raw = path.join(directory, 'raw.rts.png');
  ok(['build', '--compression', 'off', path.join(directory, 'source'), raw]);
  const compressed = json(['compress', '--all', '--level', '5', raw]);
  await assertFields(compressed, 'compress');
  assert.ok(compressed.storedAfter < compressed.storedBefore);
  assert.ok(ok(['cat', raw, '/text']).bytes.equals(ok(['cat', map, '/text']).bytes));
  ok(['verify', '--deep', raw]);

  const before = sha(map);
  for (const layer of ['raw', 'zones', 'files', 'kinds', 'heat']) {
    const picture = path.join(directory, `${layer}.png`);
    const made = json(['render', '--layer', layer, '--size', '512', map, picture]);
    await assertFields(made, 'render');
    assert.equal(fs.readFileSync(picture).subarray(1, 4).toString(), 'PNG');
  }
  assert.equal(run(['render', map, path.join(directory, 'raw.png')]).code, 10);
  assert.equal(ok(['render', map, '-']).bytes.subarray(1, 4).toString(), 'PNG');
  assert.equal(sha(map), before, 'looking changes nothing');
});

test('extract reports what it did', async (t) => {
  const { directory, map } = mapWith(t, { 'a/b': 'b' });
  const report = json(['extract', map, path.join(directory, 'out')]);
  await assertFields(report, 'extract');
  assert.equal(report.files, 1);
});
