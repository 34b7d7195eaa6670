// Mounting for real: the native helper, the kernel, and commands on a map in use.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { ControlClient, findHelper, listMounts, mountMap, openMap } from 'aetherflow';

import { programInPath } from '../../npm/dist/mount/helper.js';
import { mountRows } from '../../npm/dist/mount/table.js';
import {
  content,
  fails,
  isRoot,
  json,
  leftovers,
  ok,
  random,
  run,
  scratch,
  start,
} from './support.mjs';

/** Why nothing can be mounted here, or false. */
function unable() {
  if (!fs.existsSync('/dev/fuse')) return 'there is no /dev/fuse here';
  if (!isRoot && programInPath('fusermount3') === undefined) {
    return 'only root mounts without fusermount3 (package fuse3)';
  }
  try {
    findHelper();
    return false;
  } catch (error) {
    return error.message;
  }
}

const skip = unable();

/** A folder, a map in it that does not exist yet, and a directory to mount it at. */
function places(t, name = 'map.rts.png') {
  let directory;
  // Before the folder is removed: it must not be emptied through the mount.
  t.after(() => {
    for (const { mountPoint } of mountRows()) {
      if (!mountPoint.startsWith(directory)) continue;
      spawnSync(isRoot ? 'umount' : 'fusermount3', [isRoot ? '-l' : '-uz', mountPoint]);
    }
  });
  directory = fs.realpathSync(scratch(t));
  const at = path.join(directory, 'mounted');
  fs.mkdirSync(at);
  return {
    directory,
    at,
    map: path.join(directory, name),
    file: (...names) => path.join(at, ...names),
  };
}

function mounted(t, options = [], name) {
  const place = places(t, name);
  const document = json(['mount', '--create', ...options, place.map, place.at]);
  return { ...place, document };
}

function rowOf(at) {
  return json(['mounts']).mounts.find(({ mountPoint }) => mountPoint === at);
}

async function until(condition, what) {
  for (let tries = 0; tries < 500; tries += 1) {
    if (await condition()) return;
    await sleep(20);
  }
  assert.fail(`in time: ${what}`);
}

test('the life of a mounted map', { skip }, (t) => {
  const { map, at, file, directory, document } = mounted(t, [
    '--label',
    'lived in',
    '--compression',
    'off',
  ]);
  assert.deepEqual(
    { ...document, pid: 0, socket: '' },
    { map, mountPoint: at, pid: 0, socket: '', readOnly: false },
  );
  const bytes = content(random(7), 3 << 20);
  fs.mkdirSync(file('a/b'), { recursive: true });
  fs.writeFileSync(file('a/b/c'), bytes);
  fs.writeFileSync(file('note'), 'before');
  const info = json(['info', map]);
  assert.deepEqual(info.mounted, { mountPoint: at, pid: document.pid });
  assert.deepEqual([info.files, info.directories >= 2, info.label], [2, true, 'lived in']);
  assert.match(
    ok(['info', map]).stdout,
    new RegExp(`mounted {2}at ${at} \\(process ${document.pid}\\)`),
  );

  ok(['snapshot', 'create', map, 'one', '--note', 'while mounted']);
  fs.writeFileSync(file('note'), 'after!');
  fs.rmSync(file('a'), { recursive: true });
  fs.writeFileSync(file('later'), 'x');
  const restored = json(['snapshot', 'restore', map, 'one']);
  assert.equal(fs.readFileSync(file('note'), 'utf8'), 'before', 'the directory shows it at once');
  assert.deepEqual(fs.readdirSync(at).sort(), ['a', 'note']);
  assert.ok(fs.readFileSync(file('a/b/c')).equals(bytes));
  assert.equal(fs.existsSync(file('later')), false);
  assert.deepEqual(
    json(['snapshot', 'list', map]).snapshots.map(({ name }) => name),
    [restored.before.name, 'one'],
  );
  ok(['snapshot', 'delete', map, restored.before.name]);

  assert.equal(json(['verify', map]).ok, true);
  assert.equal(json(['verify', '--deep', map]).ok, true);
  const report = json(['compress', '--all', '--level', '12', map]);
  assert.ok(report.storedAfter * 2 < report.storedBefore && report.files >= 1);
  assert.ok(fs.readFileSync(file('a/b/c')).equals(bytes), 'and it is the same file');
  assert.equal(json(['zone', map]).zones.length, 5);
  assert.equal(typeof json(['stats', map]).mount, 'object');
  assert.match(ok(['stats', map]).stdout, /cache {2}/);
  const caches = json(['cache', '--budget', '32M', map]);
  assert.equal(caches.budget, 32 << 20);
  assert.ok(caches.caches.length > 0);
  ok(['cache', '--drop', map]);
  assert.equal(json(['config', map, 'level=5', 'label=renamed']).level, 5);
  ok(['sync', map]);
  assert.equal(json(['sync', '--seal', map]).sealed, true);

  const row = rowOf(at);
  assert.deepEqual(
    [row.map, row.pid, row.state, row.reason],
    [map, document.pid, 'read-write', null],
  );
  assert.ok(Date.now() - Date.parse(row.since) < 600_000);
  assert.match(ok(['mounts']).stdout, /map +mounted at +process +state +since\n[\s\S]*read-write/);

  const said = `the map is mounted at ${at} (process ${document.pid}); work there, or unmount it first`;
  for (const words of [
    ['ls', map],
    ['rm', map, '/note'],
    ['mount', map, directory],
    ['pack', map],
  ]) {
    assert.ok(fails(6, words).endsWith(said), words[0]);
  }
  assert.throws(() => openMap(map), { code: 'EBUSY', reason: 'mounted', message: /mounted at/ });

  assert.match(ok(['unmount', map]).stderr, /unmounted/);
  assert.equal(rowOf(at), undefined);
  assert.deepEqual(leftovers(directory), []);
  assert.deepEqual(fs.readdirSync(at), []);
  assert.ok(ok(['cat', map, '/a/b/c']).bytes.equals(bytes));
  assert.equal(json(['info', map]).label, 'renamed');
  assert.equal(json(['verify', '--deep', map]).ok, true);
});

test('a restore shows other lengths at once, also of files the kernel knows', { skip }, (t) => {
  const { map, file } = mounted(t);
  fs.writeFileSync(file('longer'), 'before');
  fs.writeFileSync(file('shorter'), 'be');
  ok(['snapshot', 'create', map, 'one']);
  fs.writeFileSync(file('longer'), 'then');
  fs.writeFileSync(file('shorter'), 'much longer');
  ok(['snapshot', 'restore', map, 'one']);
  assert.equal(fs.readFileSync(file('longer'), 'utf8'), 'before');
  assert.equal(fs.readFileSync(file('shorter'), 'utf8'), 'be');
  assert.deepEqual([fs.statSync(file('longer')).size, fs.statSync(file('shorter')).size], [6, 2]);
});

test('names with blanks, commas and letters of all kinds', { skip }, (t) => {
  const { directory } = places(t);
  const map = path.join(directory, 'a map, größer\\🦀.rts.png');
  const at = path.join(directory, 'the directory\t,ö');
  fs.mkdirSync(at);
  ok(['mount', '--create', map, at]);
  fs.writeFileSync(path.join(at, 'ü'), 'text');
  assert.deepEqual([rowOf(at).map, rowOf(at).state], [map, 'read-write']);
  ok(['umount', at]);
  assert.equal(ok(['cat', map, '/ü']).stdout, 'text');
});

test('read-only and snapshot mounts', { skip }, (t) => {
  const { map, at, file } = places(t);
  ok(['create', map]);
  ok(['put', map, '-', '/note'], { input: 'old' });
  ok(['snapshot', 'create', map, 'one']);
  ok(['put', map, '-', '/note'], { input: 'new' });
  assert.equal(json(['mount', '--ro', map, at]).readOnly, true);
  assert.equal(fs.readFileSync(file('note'), 'utf8'), 'new');
  assert.throws(() => fs.writeFileSync(file('note'), 'x'), { code: 'EROFS' });
  assert.equal(rowOf(at).state, 'read-only');
  assert.equal(json(['info', map]).files, 1);
  assert.equal(run(['snapshot', 'create', map, 'two']).code, 8);
  ok(['unmount', at]);
  assert.equal(json(['mount', '--snapshot', 'one', map, at]).readOnly, true);
  assert.equal(fs.readFileSync(file('note'), 'utf8'), 'old');
  ok(['unmount', at]);
  fails(9, ['mount', '--snapshot', 'none', map, at]);
  assert.equal(ok(['cat', map, '/note']).stdout, 'new');
});

test('what cannot be mounted, and where', { skip }, (t) => {
  const { map, at, file, directory } = mounted(t);
  const other = path.join(directory, 'other.rts.png');
  const text = path.join(directory, 'text');
  const empty = path.join(directory, 'empty');
  fs.writeFileSync(text, 'no map');
  fs.mkdirSync(empty);
  fails(9, ['mount', other, empty]);
  fails(3, ['mount', text, empty]);
  ok(['create', other]);
  assert.match(fails(6, ['mount', other, at]), /is mounted there/);
  assert.match(fails(9, ['mount', other, path.join(directory, 'none')]), /make it first/);
  assert.match(fails(9, ['mount', other, text]), /empty directory/);
  assert.match(fails(10, ['mount', other, directory]), /not empty/);
  assert.match(fails(2, ['mount', '-o', 'ro,frobnicate', other, empty]), /frobnicate/);
  assert.match(fails(6, ['mount', map, empty]), /mounted at/);
  fails(10, ['create', map]);
  fails(6, ['create', '--force', map]);
  fs.writeFileSync(file('still'), 'here');
  ok(['unmount', map]);
  assert.equal(json(['mounts']).mounts.filter((row) => row.map === other).length, 0);
});

test(
  'in use: 6; --lazy detaches, and the map is closed with its last user',
  { skip },
  async (t) => {
    const { map, at, file, directory } = mounted(t);
    const descriptor = fs.openSync(file('open'), 'w');
    fs.writeSync(descriptor, 'one');
    assert.match(fails(6, ['unmount', at]), /--lazy/);
    assert.equal(rowOf(at).state, 'read-write');
    ok(['unmount', '--lazy', at]);
    assert.equal(rowOf(at), undefined);
    fs.writeSync(descriptor, ' two');
    fs.closeSync(descriptor);
    await until(() => leftovers(directory).length === 0, 'the map is closed');
    assert.equal(ok(['cat', map, '/open']).stdout, 'one two');
  },
);

test(
  'a helper that dies: nothing synced is lost, and the directory is freed',
  { skip },
  async (t) => {
    const { map, at, file, document } = mounted(t);
    const kill = async (pid) => {
      process.kill(pid, 'SIGKILL');
      await until(() => {
        try {
          fs.statfsSync(at);
          return false;
        } catch (error) {
          return error.code === 'ENOTCONN';
        }
      }, 'the helper is gone');
    };
    fs.writeFileSync(file('kept'), 'synced', { flush: true });
    const descriptor = fs.openSync(file('kept'), 'r+');
    fs.fsyncSync(descriptor);
    fs.closeSync(descriptor);
    await kill(document.pid);
    const row = rowOf(at);
    assert.deepEqual([row.state, row.pid, row.map], ['dead', null, map]);
    assert.match(ok(['mounts']).stdout, /dead: the process that served it is gone/);
    assert.equal(ok(['cat', map, '/kept']).stdout, 'synced', 'the map is free at once');
    const line = ok(['unmount', map]).stderr;
    assert.match(line, /freed; its process was gone/);
    assert.equal(rowOf(at), undefined);
    assert.match(fails(9, ['unmount', at]), /neither/);

    const again = json(['mount', map, at]);
    assert.equal(fs.readFileSync(file('kept'), 'utf8'), 'synced');
    await kill(again.pid);
    const third = json(['mount', map, at]);
    assert.notEqual(third.pid, again.pid);
    assert.equal(fs.readFileSync(file('kept'), 'utf8'), 'synced', 'mounting again frees it too');
    assert.equal(json(['unmount', at]).wasDead, false);
    assert.equal(json(['verify', map]).ok, true);
  },
);

test('in the foreground: until SIGTERM, or until it is unmounted', { skip }, async (t) => {
  const { map, at, file } = places(t);
  const serve = async (options = []) => {
    const child = start(['mount', '--create', '--foreground', ...options, map, at]);
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (part) => (said += part));
    child.stderr.setEncoding('utf8').on('data', (part) => (said += part));
    await Promise.race([
      until(() => said.includes('\n'), 'it is mounted'),
      once(child, 'exit').then(() => assert.fail(`ended: ${said}`)),
    ]);
    return { child, said: () => said };
  };
  const first = await serve();
  assert.match(first.said(), new RegExp(`^mounted .*map\\.rts\\.png at ${at} \\(pid \\d+\\)`));
  fs.writeFileSync(file('one'), '1');
  first.child.kill('SIGTERM');
  const [code] = await once(first.child, 'exit');
  assert.equal(code, 0);
  assert.equal(rowOf(at), undefined);
  assert.equal(ok(['cat', map, '/one']).stdout, '1');
  const second = await serve(['--json']);
  assert.equal(JSON.parse(second.said()).mountPoint, at);
  const ended = once(second.child, 'exit');
  ok(['unmount', at]);
  assert.deepEqual((await ended)[0], 0);
});

test('from a program: mountMap, ControlClient, listMounts, unmount', { skip }, async (t) => {
  const { map, at, file } = places(t);
  openMap(map, { mode: 'wx' }).close();
  const made = await mountMap(map, at, { cacheSize: 16 << 20, options: ['commit=1'] });
  assert.deepEqual([made.map, made.mountPoint, made.readOnly], [map, at, false]);
  await fs.promises.writeFile(file('x'), 'from a program');
  const client = await ControlClient.connect(made.socket);
  assert.equal(client.greeting.mountPoint, at);
  assert.equal((await client.call('info')).files, 1);
  const status = await client.call('status');
  assert.equal(status.state, 'read-write');
  await assert.rejects(client.call('no such method'), { code: 'ENOSYS' });
  const steps = [];
  const report = await client.call('verify', {}, { onProgress: (done) => void steps.push(done) });
  assert.equal(report.ok, true);
  client.close();
  assert.ok((await listMounts()).some(({ mountPoint }) => mountPoint === at));
  await made.unmount();
  const back = openMap(map);
  assert.equal(back.fs.readFileSync('/x', 'utf8'), 'from a program');
  back.close();
});

test('other programs work in it while commands look at it', { skip }, async (t) => {
  const { map, at, file } = mounted(t);
  const writer = spawn(
    'sh',
    ['-c', 'i=0; while [ $i -lt 300 ]; do echo "line $i" > f$i; i=$((i+1)); done'],
    { cwd: at, stdio: 'ignore' },
  );
  const ended = once(writer, 'exit');
  for (let round = 0; round < 3; round += 1) {
    assert.equal(json(['verify', map]).ok, true);
    ok(['snapshot', 'create', map, `round-${round}`]);
  }
  assert.equal((await ended)[0], 0);
  assert.equal(fs.readdirSync(at).length, 300);
  assert.equal(fs.readFileSync(file('f299'), 'utf8'), 'line 299\n');
  ok(['unmount', at]);
  assert.equal(json(['verify', '--deep', map]).ok, true);
  assert.equal(json(['info', map]).files, 300);
});
