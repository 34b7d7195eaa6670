// Commands on a map that another process has open and serves over a control socket.
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';

import { serve } from '../js/support/serve.mjs';
import { content, fails, json, ok, random, run, scratch } from './support.mjs';

function mapOf(t) {
  const directory = scratch(t);
  const source = path.join(directory, 'source');
  fs.mkdirSync(source);
  fs.writeFileSync(path.join(source, 'text'), content(random(1), 300000));
  const map = path.join(directory, 'map.rts.png');
  ok(['build', '--compression', 'off', source, map]);
  return { directory, map };
}

/** Without what differs between two looks at the same map. */
function steady(document) {
  const { mounted, recovered, generation, modified, milliseconds, cacheBytes, ...rest } = document;
  for (const value of [recovered, generation, modified, milliseconds, cacheBytes]) void value;
  return { rest, mounted };
}

test('the same answers through the socket, and a line that says where it is mounted', async (t) => {
  const { map } = mapOf(t);
  const looks = [['info'], ['zone'], ['verify'], ['config'], ['snapshot', 'list']];
  const before = looks.map((words) => steady(json([...words, map])));
  const { child } = await serve(t, map, '/a place');
  const mounted = { mountPoint: '/a place', pid: child.pid };
  for (const [index, words] of looks.entries()) {
    const after = steady(json([...words, map]));
    assert.equal(before[index].mounted, undefined);
    assert.deepEqual(after.mounted, mounted, words.join(' '));
    const used = (document) => ({ ...document, diskBytes: 0, clustersUsed: 0 });
    assert.deepEqual(used(after.rest), used(before[index].rest), words.join(' '));
  }
  assert.match(
    ok(['info', map]).stdout,
    new RegExp(`mounted {2}at /a place \\(process ${child.pid}\\)`),
  );
  assert.match(ok(['verify', map]).stderr, /mounted at \/a place/);
  assert.equal(ok(['verify', '--quiet', map]).stderr, '');
  assert.match(ok(['stats', map]).stdout, /asked of the mount\n +requests {2}7\n *by kind lookup replies {2}3\n/);
  assert.equal(json(['stats', map]).mount.requests, 7);
  assert.match(ok(['cache', map]).stdout, /pages +4\.0 KiB +64\.0 MiB +3 +1 +75\.0 %/);
  assert.equal(json(['cache', '--drop', '--budget', '1M', map]).caches[0].bytes, 0);
  assert.equal(json(['cache', map]).budget, 1 << 20);
});

test('snapshots, settings, compression and sync reach the process that has the map', async (t) => {
  const { map } = mapOf(t);
  const { child, ended } = await serve(t, map, '/a place');
  assert.match(ok(['snapshot', 'create', map, 'one', '--note', 'n']).stderr, /created\nmounted at/);
  assert.match(fails(10, ['snapshot', 'create', map, 'one']), /one of .*exists/);
  assert.equal(json(['snapshot', 'list', map]).snapshots[0].note, 'n');
  assert.match(ok(['compress', '--all', map]).stderr, /1 file, 293 KiB: .*\nmounted at/);
  fails(9, ['compress', map, '/none']);
  const restored = json(['snapshot', 'restore', map, 'one']);
  assert.equal(restored.before.automatic, true);
  ok(['snapshot', 'delete', map, restored.before.name, 'one']);
  assert.match(fails(9, ['snapshot', 'delete', map, 'one']), /one of/);
  assert.deepEqual(json(['snapshot', 'list', map]).snapshots, []);
  assert.equal(json(['config', map, 'level=7', 'label=x y', 'parity=off']).level, 7);
  assert.equal(json(['sync', map]).sealed, false);
  assert.equal(json(['sync', '--seal', map]).sealed, true);
  child.kill('SIGKILL');
  await ended;
  const info = json(['info', map]);
  assert.deepEqual(
    [info.label, info.level, info.parity, info.mounted],
    ['x y', 7, false, undefined],
  );
});

test('commands on files say who has the map: 6', async (t) => {
  const { map } = mapOf(t);
  const { child } = await serve(t, map, '/a place');
  const holder = new RegExp(`process ${child.pid} \\(aetherflow-fuse\\)`);
  for (const words of [
    ['ls'],
    ['cat', '/text'],
    ['rm', '/text'],
    ['zone', '/text'],
    ['mkdir', '/d'],
  ]) {
    assert.match(fails(6, [words[0], map, ...words.slice(1)]), holder);
  }
  assert.match(fails(6, ['snapshot', 'show', map, 'x']), holder);
  assert.match(fails(6, ['mount', map, path.dirname(map)]), holder);
});

test('a process that does not answer: 6', async (t) => {
  const { map } = mapOf(t);
  const { socket, child } = await serve(t, map, '/a place');
  fs.rmSync(socket);
  const line = fails(6, ['info', map]);
  assert.match(line, new RegExp(`process ${child.pid} .* does not answer`));
});

test('on a map that is not mounted: config, stats, sync; cache has nothing to show', (t) => {
  const { map, directory } = mapOf(t);
  const rules = path.join(directory, 'rules');
  fs.writeFileSync(rules, '# mine\n^etc/ 200\n.log$ 20\n');
  const settings = json(['config', map, `rules=${rules}`, 'compression=zone', 'label=']);
  assert.deepEqual(settings.rules, [
    ['^etc/', 200],
    ['.log$', 20],
  ]);
  assert.match(ok(['config', map]).stdout, /compression {2}zone\n[\s\S]*\^etc\/ 200\n/);
  assert.deepEqual(json(['config', map, 'rules=']).rules, []);
  for (const word of ['level', 'level=x', 'level=20', 'speed=1', 'parity=maybe', 'compression=z']) {
    assert.match(fails(2, ['config', map, word]), /config --help/);
  }
  assert.equal(run(['config', `${map}.none`, 'level=3']).code, 9);
  assert.match(ok(['stats', map]).stdout, /in use {2}\d/);
  assert.equal(json(['sync', map]).sealed, true);
  assert.match(fails(9, ['cache', map]), /not mounted/);
  ok(['zone', map]);
  ok(['snapshot', 'create', map, 's']);
  assert.equal(json(['zone', '--snapshot', 's', map]).zones.length, 5);
  assert.equal(run(['zone', '--snapshot', 'none', map]).code, 9);
});

test('unmount and mounts without any mount; umount is the same command', (t) => {
  const { map, directory } = mapOf(t);
  assert.match(fails(9, ['unmount', map]), /aetherflow mounts/);
  assert.match(fails(9, ['umount', directory]), /neither a mounted map/);
  assert.equal(ok(['umount', '--help']).stdout, ok(['unmount', '--help']).stdout);
  const { mounts } = json(['mounts']);
  assert.ok(mounts.every((mount) => mount.map !== map));
});
