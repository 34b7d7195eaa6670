// A tree becomes a map and comes back the same.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

import {
  assertSameTree,
  hasAttr,
  json,
  leftovers,
  makeTree,
  ok,
  run,
  scratch,
} from './support.mjs';

const variants = [
  ['with the defaults', []],
  ['uncompressed', ['--compression', 'off']],
  ['by zone, one worker', ['--compression', 'zone', '--jobs', '1']],
  ['packed', ['--packed']],
  ['level 9, narrow', ['--level', '9', '--width', '512', '--no-parity']],
];

for (const [name, options] of variants) {
  test(`build and extract ${name}`, (t) => {
    const directory = scratch(t);
    const source = makeTree(path.join(directory, 'source'), 7);
    const map = path.join(directory, 'map.rts.png');
    const report = json(['build', ...options, source, map]);
    assert.equal(report.skipped.length, 0);
    assert.ok(report.sharedBytes >= 400000 + (5 << 20), 'equal files are stored once');
    assert.equal(report.hardLinks, 2);
    if (hasAttr) assert.equal(report.attributes, 2);
    assert.deepEqual(leftovers(directory), []);
    ok(['verify', ...(name.includes('defaults') ? ['--deep'] : []), map]);
    const out = path.join(directory, 'out');
    const back = json(['extract', '--preserve-special', map, out]);
    assert.deepEqual(back.skipped, []);
    assert.equal(
      spawnSync('diff', ['-r', '--no-dereference', '-x', 'fifo', '-x', 'null', source, out]).status,
      0,
    );
    assertSameTree(source, out);
  });
}

test('a real tree: the dependencies of this package', (t) => {
  const directory = scratch(t);
  const source = fileURLToPath(new URL('../../node_modules/typescript', import.meta.url));
  const map = path.join(directory, 'typescript.rts.png');
  ok(['build', source, map]);
  const out = path.join(directory, 'out');
  ok(['extract', map, out]);
  assert.equal(spawnSync('diff', ['-r', source, out]).status, 0);
  assertSameTree(source, out);
});

test('exclusions, rules and a label', (t) => {
  const directory = scratch(t);
  const source = path.join(directory, 'source');
  fs.mkdirSync(path.join(source, 'keep/logs'), { recursive: true });
  fs.mkdirSync(path.join(source, 'node_modules/x'), { recursive: true });
  for (const name of ['a.txt', 'keep/b.log', 'keep/logs/c.txt', 'node_modules/x/d.js', 'hot.bin']) {
    fs.writeFileSync(path.join(source, name), name.repeat(2000));
  }
  const rules = path.join(directory, 'rules.txt');
  fs.writeFileSync(rules, '# what matters\n^hot.bin$ 255\n\n^a.txt$ & .txt   3\n');
  const map = path.join(directory, 'map.rts.png');
  ok([
    'build',
    '--exclude',
    'node_modules',
    '--exclude',
    '*.log',
    '--exclude',
    '/keep/logs',
    '--rules',
    rules,
    '--label',
    'labelled',
    source,
    map,
  ]);
  const paths = json(['find', map]).entries.map((entry) => entry.path);
  assert.deepEqual(paths, ['/', '/a.txt', '/hot.bin', '/keep']);
  assert.equal(json(['info', map]).label, 'labelled');
  const importance = Object.fromEntries(
    json(['zone', map, '/hot.bin', '/a.txt']).entries.map((entry) => [
      entry.path,
      entry.importance,
    ]),
  );
  assert.deepEqual(importance, { '/hot.bin': 255, '/a.txt': 3 });
});

test('a map inside the tree it is built from is not part of itself', (t) => {
  const directory = scratch(t);
  fs.writeFileSync(path.join(directory, 'file'), 'file');
  const map = path.join(directory, 'map.rts.png');
  ok(['build', directory, map]);
  ok(['build', '--force', directory, map]);
  assert.deepEqual(
    json(['find', map]).entries.map((entry) => entry.path),
    ['/', '/file'],
  );
});

test('parts of a map, and a snapshot, are extracted', (t) => {
  const directory = scratch(t);
  const source = path.join(directory, 'source');
  fs.mkdirSync(path.join(source, 'a/b/c'), { recursive: true });
  fs.writeFileSync(path.join(source, 'a/b/c/file'), 'before');
  fs.writeFileSync(path.join(source, 'a/other'), 'other');
  const map = path.join(directory, 'map.rts.png');
  ok(['build', source, map]);
  ok(['snapshot', 'create', map, 'first']);
  ok(['put', map, '-', '/a/b/c/file'], { input: 'after' });
  const out = path.join(directory, 'out');
  ok(['extract', map, out, '/a/b/c']);
  assert.deepEqual(fs.readdirSync(path.join(out, 'a')), ['b']);
  assert.equal(fs.readFileSync(path.join(out, 'a/b/c/file'), 'utf8'), 'after');
  const old = path.join(directory, 'old');
  ok(['extract', '--snapshot', 'first', map, old]);
  assertSameTree(source, old);
});

test('the map is a picture', (t) => {
  const directory = scratch(t);
  const source = makeTree(path.join(directory, 'source'), 11);
  const map = path.join(directory, 'map.rts.png');
  ok(['build', source, map]);
  const python = run(['info', map]).code === 0 && spawnSync('python3', ['-c', 'import PIL']);
  if (python === false || python.status !== 0) {
    t.skip('Pillow is not installed');
    return;
  }
  const decode =
    'import sys; from PIL import Image; Image.MAX_IMAGE_PIXELS = None; Image.open(sys.argv[1]).load()';
  const made = spawnSync('python3', ['-c', decode, map]);
  assert.equal(made.status, 0, made.stderr.toString());
});
