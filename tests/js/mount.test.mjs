// The library's side of mounting: the control client, the table of mounts, what is said before.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';

import { ControlClient, findHelper, listMounts, mountMap, openMap, unmountMap } from 'aetherflow';

import { helperPackage } from '../../npm/dist/mount/helper.js';
import { parseMounts } from '../../npm/dist/mount/table.js';
import { serve } from './support/serve.mjs';

function scratch(t) {
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'aetherflow-mount-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function mapIn(folder) {
  const file = path.join(folder, 'map.rts.png');
  openMap(file, { mode: 'wx' }).close();
  return file;
}

/** A server that says what it is told to. */
async function scripted(t, folder, onConnection) {
  const socket = path.join(folder, 'scripted.sock');
  const connections = new Set();
  const server = net.createServer((connection) => {
    connections.add(connection);
    connection.on('error', () => undefined);
    onConnection(connection);
  });
  server.listen(socket);
  await once(server, 'listening');
  t.after(() => {
    for (const connection of connections) connection.destroy();
    server.close();
  });
  return socket;
}

const GREETING = `${JSON.stringify({ aetherflow: '1', protocol: 1, map: '/m', mountPoint: '/d', pid: 3 })}\n`;

test('a client calls, hears of progress, and gets errors as errors', async (t) => {
  const folder = scratch(t);
  const map = mapIn(folder);
  const { socket, child } = await serve(t, map, '/somewhere');
  const client = await ControlClient.connect(socket);
  assert.deepEqual(client.greeting, {
    aetherflow: '0.1.0',
    protocol: 1,
    map: fs.realpathSync(map),
    mountPoint: '/somewhere',
    pid: child.pid,
  });
  assert.equal(client.socket, socket);
  const info = await client.call('info');
  assert.equal(info.files, 0);
  const both = [client.call('hello', { text: 'a\nö' }), client.call('hello', { text: 'b' })];
  assert.deepEqual(await Promise.all(both), [{ text: 'a\nö' }, { text: 'b' }]);
  await assert.rejects(client.call('nonsense'), {
    code: 'ENOSYS',
    errno: -38,
    message: /nonsense/,
  });
  await assert.rejects(client.call('snapshot.delete', { name: 'none' }), { code: 'ENOENT' });

  const seen = [];
  const stopping = client.call('slow', {}, { onProgress: (done) => seen.push(done) < 3 });
  await assert.rejects(stopping, { code: 'ECANCELED' });
  assert.deepEqual(seen.slice(0, 3), [0, 1, 2]);
  const controller = new AbortController();
  const aborted = client.call('slow', {}, { signal: controller.signal });
  setTimeout(() => controller.abort(), 30);
  await assert.rejects(aborted, { name: 'AbortError' });
  await assert.rejects(client.call('info', {}, { signal: controller.signal }), {
    name: 'AbortError',
  });
  const mistaken = client.call(
    'slow',
    {},
    {
      onProgress: () => {
        throw new RangeError('of the caller');
      },
    },
  );
  await assert.rejects(mistaken, RangeError);
  assert.equal((await client.call('info')).files, 0, 'the connection goes on');
  await assert.rejects(client.call('hello', { text: 'x'.repeat(1 << 20) }), { code: 'E2BIG' });

  await assert.rejects(client.call('die'), { code: 'ECONNRESET', message: /went away/ });
  await assert.rejects(client.call('info'), { code: 'ECONNRESET' });
});

test('closing ends what waits', async (t) => {
  const socket = await scripted(t, scratch(t), (connection) => connection.write(GREETING));
  const client = await ControlClient.connect(socket);
  const waiting = client.call('info');
  client.close();
  await assert.rejects(waiting, { code: 'ECANCELED' });
  client.close();
});

test('nobody there, silence, strangers, other protocols, junk', async (t) => {
  const folder = scratch(t);
  await assert.rejects(ControlClient.connect(path.join(folder, 'none')), { code: 'ENOENT' });
  const silent = await scripted(t, scratch(t), () => undefined);
  await assert.rejects(ControlClient.connect(silent, { timeout: 50 }), { code: 'ETIMEDOUT' });
  const closing = await scripted(t, scratch(t), (connection) => connection.end());
  await assert.rejects(ControlClient.connect(closing), { code: 'ECONNRESET' });
  const stranger = await scripted(t, scratch(t), (connection) => connection.write('220 hello\r\n'));
  await assert.rejects(ControlClient.connect(stranger), { code: 'EIO', message: /not aetherflow/ });
  const later = GREETING.replace('"protocol":1', '"protocol":2');
  const newer = await scripted(t, scratch(t), (connection) => connection.write(later));
  await assert.rejects(ControlClient.connect(newer), { reason: 'version', message: /protocol 2/ });
  const full = '{"id":null,"error":{"code":"EBUSY","errno":16,"message":"too many"}}\n';
  const crowded = await scripted(t, scratch(t), (connection) => connection.end(full));
  await assert.rejects(ControlClient.connect(crowded), { code: 'EBUSY', message: /too many/ });
  const junk = await scripted(t, scratch(t), (connection) => {
    connection.write(GREETING);
    connection.on('data', () => {
      connection.write('{"id":77,"result":1}\n[]\nnull\n{{{\n{"id":1,"progress":7}\n{"id":1,"re');
      setTimeout(() => connection.write('sult":"whole"}\n'), 20);
    });
  });
  const client = await ControlClient.connect(junk);
  assert.equal(await client.call('info'), 'whole');
  client.close();
});

test('the table of mounts, with blanks and options', () => {
  const text = [
    '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
    '40 22 0:50 / /mnt/my\\040map rw,nosuid,nodev shared:5 master:1 - fuse.aetherflow /d/a\\134b.rts.png rw,user_id=0',
    '41 22 0:51 / /mnt/old ro,nosuid - fuse.aetherflow /d/ö.rts.png ro,user_id=0',
    '42 22 0:52 / /mnt/x rw - fuse.sshfs host: rw',
    'nonsense',
    '',
  ].join('\n');
  assert.deepEqual(parseMounts(text), [
    { map: '/d/a\\b.rts.png', mountPoint: '/mnt/my map', readOnly: false },
    { map: '/d/ö.rts.png', mountPoint: '/mnt/old', readOnly: true },
  ]);
});

test('the helper is looked for where AETHERFLOW_FUSE says, and in PATH', (t) => {
  const folder = scratch(t);
  const program = path.join(folder, 'aetherflow-fuse');
  fs.writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 });
  assert.equal(findHelper({ AETHERFLOW_FUSE: program }), program);
  const none = path.join(folder, 'none');
  assert.throws(() => findHelper({ AETHERFLOW_FUSE: none, PATH: folder }), {
    reason: 'no-helper',
    message: /AETHERFLOW_FUSE names/,
  });
  // A checkout without a build, and no package: only PATH is left.
  const bare = { CARGO_TARGET_DIR: path.join(folder, 'empty') };
  assert.equal(findHelper({ ...bare, PATH: `relative:${folder}` }), program);
  assert.throws(
    () => findHelper({ ...bare, PATH: '/nowhere' }),
    (error) => {
      assert.equal(error.code, 'ENOENT');
      for (const place of [helperPackage(), 'empty/release and debug', 'PATH', 'AETHERFLOW_FUSE']) {
        assert.ok(error.message.includes(place), `${place} in ${error.message}`);
      }
      return true;
    },
  );
  const built = path.join(folder, 'target/debug/aetherflow-fuse');
  fs.mkdirSync(path.dirname(built), { recursive: true });
  fs.copyFileSync(program, built);
  assert.equal(findHelper({ CARGO_TARGET_DIR: path.join(folder, 'target'), PATH: folder }), built);
});

test('what cannot be mounted is said before anything is started', async (t) => {
  const folder = scratch(t);
  const map = mapIn(folder);
  const helper = path.join(folder, 'helper');
  fs.writeFileSync(helper, '#!/bin/sh\necho started >&2; exit 1\n', { mode: 0o755 });
  const empty = path.join(folder, 'empty');
  fs.mkdirSync(empty);
  const options = { helper };
  const none = path.join(folder, 'none');
  await assert.rejects(mountMap(none, empty, options), { code: 'ENOENT', path: none });
  await assert.rejects(mountMap(folder, empty, options), { reason: 'not-a-map' });
  await assert.rejects(mountMap(map, empty, { helper, snapshot: 'a,b' }), {
    code: 'ERR_INVALID_ARG_VALUE',
  });
  const able = fs.existsSync('/dev/fuse') && process.getuid() === 0;
  if (!able) {
    t.diagnostic('the rest needs /dev/fuse and root');
    await assert.rejects(mountMap(map, empty, options), /modprobe|fusermount3/);
    return;
  }
  await assert.rejects(mountMap(map, none, options), { code: 'ENOENT', message: /make it first/ });
  await assert.rejects(mountMap(map, map, options), {
    code: 'ENOTDIR',
    message: /empty directory/,
  });
  await assert.rejects(mountMap(map, folder, options), { code: 'ENOTEMPTY', message: /empty/ });
  await assert.rejects(mountMap(map, empty, options), { reason: 'helper', message: /started/ });
  const held = openMap(map);
  await assert.rejects(mountMap(map, empty, options), {
    code: 'EBUSY',
    reason: 'locked',
    message: new RegExp(`process ${process.pid}`),
  });
  held.close();
});

test('how a helper answers: the document, the error, a daemon that keeps the pipes', async (t) => {
  if (!fs.existsSync('/dev/fuse') || process.getuid() !== 0) {
    t.skip('needs /dev/fuse and root');
    return;
  }
  const folder = scratch(t);
  const map = mapIn(folder);
  const empty = path.join(folder, 'empty dir');
  fs.mkdirSync(empty);
  const helper = path.join(folder, 'helper');
  const script = (text) => fs.writeFileSync(helper, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  script(
    `for word; do echo "$word" >> ${folder}/words; done; (sleep 3) & echo '{"map":"${map}","mountPoint":"${empty}","pid":7,"socket":"/s","readOnly":true}'`,
  );
  const started = Date.now();
  const mounted = await mountMap(map, empty, {
    helper,
    readOnly: true,
    cacheSize: 1 << 20,
    options: ['uid=5', 'sync'],
    log: '/l o g',
  });
  assert.ok(Date.now() - started < 2500, 'it does not wait for the daemon');
  assert.deepEqual([mounted.pid, mounted.socket, mounted.readOnly], [7, '/s', true]);
  assert.deepEqual(fs.readFileSync(path.join(folder, 'words'), 'utf8').trim().split('\n'), [
    'mount',
    fs.realpathSync(map),
    fs.realpathSync(empty),
    '-o',
    'ro,cache_size=1048576,uid=5,sync',
    '--log',
    '/l o g',
    '--daemon',
    '--json',
  ]);
  await assert.rejects(mounted.unmount(), { reason: 'not-mounted' });
  script(`echo '{"error":{"code":"EBUSY","message":"the map is taken"}}'; exit 6`);
  await assert.rejects(mountMap(map, empty, { helper }), {
    code: 'EBUSY',
    path: map,
    message: /the map is taken/,
  });
  script('kill -9 $$');
  await assert.rejects(mountMap(map, empty, { helper }), { reason: 'helper', message: /SIGKILL/ });
});

test('unmounting what is not mounted', async (t) => {
  const folder = scratch(t);
  await assert.rejects(unmountMap(folder), { code: 'EINVAL', reason: 'not-mounted' });
  await assert.rejects(unmountMap(path.join(folder, 'none/at/all')), { reason: 'not-mounted' });
  const here = (await listMounts()).filter(({ map }) => map.startsWith(folder));
  assert.deepEqual(here, []);
});
