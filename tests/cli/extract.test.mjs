// Extraction never leaves its directory and overwrites only when told.
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';

import { fails, ok, run, scratch } from './support.mjs';

function mapOf(t, make) {
  const directory = scratch(t);
  const source = path.join(directory, 'source');
  fs.mkdirSync(source);
  make(source);
  const map = path.join(directory, 'map.rts.png');
  ok(['build', source, map]);
  return { directory, map, out: path.join(directory, 'out') };
}

test('a link in the target is not followed', (t) => {
  const { directory, map, out } = mapOf(t, (source) => {
    fs.mkdirSync(path.join(source, 'dir'));
    fs.writeFileSync(path.join(source, 'dir/file'), 'from the map');
    fs.writeFileSync(path.join(source, 'plain'), 'from the map');
  });
  const outside = path.join(directory, 'outside');
  fs.mkdirSync(outside);
  fs.mkdirSync(out);
  fs.symlinkSync(outside, path.join(out, 'dir'));
  fs.symlinkSync(path.join(outside, 'plain'), path.join(out, 'plain'));
  fails(10, ['extract', map, out]);
  assert.deepEqual(fs.readdirSync(outside), []);
  ok(['extract', '--force', map, out]);
  assert.deepEqual(fs.readdirSync(outside), []);
  assert.ok(!fs.lstatSync(path.join(out, 'dir')).isSymbolicLink());
  assert.equal(fs.readFileSync(path.join(out, 'dir/file'), 'utf8'), 'from the map');
});

test('a link from the map does not lead its neighbours out', (t) => {
  const { directory, map, out } = mapOf(t, (source) => {
    fs.symlinkSync('../outside', path.join(source, 'escape'));
    fs.symlinkSync('/', path.join(source, 'rootlink'));
    fs.writeFileSync(path.join(source, 'zfile'), 'z');
  });
  const outside = path.join(directory, 'outside');
  fs.mkdirSync(outside);
  ok(['extract', map, out]);
  assert.deepEqual(fs.readdirSync(outside), []);
  // Once more, over the links that are there now.
  ok(['extract', '--force', map, out]);
  assert.deepEqual(fs.readdirSync(outside), []);
  fails(9, ['extract', map, path.join(directory, 'other'), '/escape/x']);
});

test('the directory itself may be a link; dot-dot stays inside the map', (t) => {
  const { directory, map } = mapOf(t, (source) => fs.writeFileSync(path.join(source, 'file'), 'x'));
  const real = path.join(directory, 'real');
  fs.mkdirSync(real);
  fs.symlinkSync(real, path.join(directory, 'link'));
  ok(['extract', map, path.join(directory, 'link')]);
  assert.deepEqual(fs.readdirSync(real), ['file']);
  fails(9, ['extract', map, path.join(directory, 'second'), '/../file']);
});

test('existing files: refused, kept, replaced', (t) => {
  const { map, out } = mapOf(t, (source) => {
    for (const name of ['a', 'b', 'c']) fs.writeFileSync(path.join(source, name), `new ${name}`);
  });
  fs.mkdirSync(out);
  fs.writeFileSync(path.join(out, 'b'), 'old b');
  assert.match(fails(10, ['extract', map, out]), /out\/b: it exists already/);
  assert.deepEqual(fs.readdirSync(out), ['b'], 'a refusal leaves nothing half done');
  ok(['extract', '--skip-existing', map, out]);
  assert.equal(fs.readFileSync(path.join(out, 'b'), 'utf8'), 'old b');
  assert.equal(fs.readFileSync(path.join(out, 'a'), 'utf8'), 'new a');
  ok(['extract', '--force', map, out]);
  assert.equal(fs.readFileSync(path.join(out, 'b'), 'utf8'), 'new b');
  fails(2, ['extract', '--force', '--skip-existing', map, out]);
});

test('a directory in the way of a file is not removed', (t) => {
  const { map, out } = mapOf(t, (source) => fs.writeFileSync(path.join(source, 'name'), 'file'));
  fs.mkdirSync(path.join(out, 'name/precious'), { recursive: true });
  fails(10, ['extract', '--force', map, out]);
  assert.ok(fs.existsSync(path.join(out, 'name/precious')));
});

test('setuid bits', (t) => {
  const { directory, map } = mapOf(t, (source) => {
    fs.writeFileSync(path.join(source, 'tool'), '#!');
    fs.chmodSync(path.join(source, 'tool'), 0o4755);
  });
  const plain = path.join(directory, 'plain');
  const special = path.join(directory, 'special');
  ok(['extract', map, plain]);
  ok(['extract', '--preserve-special', map, special]);
  const mode = (where) => fs.statSync(path.join(where, 'tool')).mode & 0o7777;
  assert.equal(mode(special), 0o4755);
  assert.equal(mode(plain), process.getuid() === 0 ? 0o4755 : 0o755);
});

test('a deep tree', (t) => {
  const { directory, map, out } = mapOf(t, (source) => {
    process.chdir(source);
    for (let level = 0; level < 600; level += 1) {
      fs.mkdirSync('d');
      process.chdir('d');
    }
    fs.writeFileSync('bottom', 'bottom');
    process.chdir('/');
  });
  ok(['extract', map, out]);
  assert.equal(fs.readFileSync(path.join(out, 'd/'.repeat(600), 'bottom'), 'utf8'), 'bottom');
  assert.equal(run(['find', map, '--name', 'bottom']).stdout.length, 2 * 600 + '/bottom\n'.length);
  assert.ok(directory.length > 0);
});
