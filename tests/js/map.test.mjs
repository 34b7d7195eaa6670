import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import * as nodeFs from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { AetherFlowError, InfiniteMap, lockHolder, Map, openMap, version } from 'aetherflow';
import { pattern, picture, throwsCode } from './support/targets.mjs';

const library = import.meta.resolve('aetherflow');
let home;
let count = 0;

before(() => {
  home = nodeFs.mkdtempSync(path.join(tmpdir(), 'aetherflow-map-'));
});
after(() => {
  nodeFs.rmSync(home, { recursive: true });
});

function newFile() {
  count += 1;
  return path.join(home, `map-${count}.rts.png`);
}

/** A map file with some contents, closed. */
function exampleFile(options = {}) {
  const file = newFile();
  const map = openMap(file, { mode: 'wx', ...options });
  map.mkdir('/docs');
  map.writeFile('/docs/hello', 'hello');
  map.writeFile('/docs/large', pattern(400_000, 21));
  map.close();
  return file;
}

function reasonOf(action) {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof AetherFlowError, String(error.stack));
    return error.reason;
  }
  throw new Error('nothing was thrown');
}

describe('a map in memory', () => {
  test('is known by two names', () => {
    assert.equal(Map, InfiniteMap);
    assert.equal(typeof version().engine, 'string');
  });

  test('becomes a PNG and comes back from it', () => {
    const map = Map.create({ width: 256, label: 'mine' });
    map.mkdir('/a/b', { recursive: true });
    map.writeFile('/a/b/c', 'content');
    const png = map.toPng();
    assert.equal(Buffer.from(png.subarray(1, 4)).toString(), 'PNG');
    const again = Map.open(png);
    assert.equal(again.readFile('/a/b/c', 'utf8'), 'content');
    assert.equal(again.info().label, 'mine');
    assert.equal(again.info().width, 256);
    again.writeFile('/a/b/c', 'other');
    assert.equal(map.readFile('/a/b/c', 'utf8'), 'content', 'the two are independent');
    map.close();
    assert.equal(again.readFile('/a/b/c', 'utf8'), 'other');
    again.close();
  });

  test('opens read-only when asked to', () => {
    const map = Map.create();
    map.writeFile('/a', 'x');
    const view = Map.open(map.toPng(), { readOnly: true });
    assert.equal(view.readOnly, true);
    throwsCode(() => view.writeFile('/a', 'y'), 'EROFS');
    throwsCode(() => view.mkdir('/d'), 'EROFS', 'mkdir');
    throwsCode(() => view.fs.accessSync('/a', nodeFs.constants.W_OK), 'EROFS', 'access');
    assert.equal(view.readFile('/a', 'utf8'), 'x');
    view.close();
    map.close();
  });

  test('refuses bad options', () => {
    throwsCode(() => Map.create({ width: 300 }), 'EINVAL');
    throwsCode(() => Map.create({ width: 128 }), 'EINVAL');
    throwsCode(() => Map.create({ width: 16_384 }), 'EINVAL');
    throwsCode(() => Map.open('text'), 'ERR_INVALID_ARG_TYPE');
    throwsCode(() => openMap(5), 'ERR_INVALID_ARG_TYPE');
    throwsCode(() => openMap(newFile(), { mode: 'q' }), 'ERR_INVALID_ARG_VALUE');
  });

  test('is closed once and then says so', () => {
    const map = Map.create();
    const fd = map.fs.openSync('/a', 'w');
    map.close();
    map.close();
    assert.equal(map.closed, true);
    throwsCode(() => map.readFile('/a'), 'EBADF');
    throwsCode(() => map.info(), 'EBADF');
    throwsCode(() => map.fs.writeSync(fd, 'x'), 'EBADF');
    assert.equal(
      reasonOf(() => map.sync()),
      'closed',
    );
    const disposed = Map.create();
    disposed[Symbol.dispose]();
    assert.equal(disposed.closed, true);
  });
});

describe('the calls of Map', () => {
  let map;
  before(() => {
    // Wide enough that the hot zone holds more than metadata.
    map = Map.create({ width: 2048 });
  });
  after(() => {
    map.close();
  });

  test('read and write at positions', () => {
    map.writeFile('/at', 'abcdef');
    assert.equal(map.writeAt('/at', Buffer.from('XY'), 2), 2);
    const target = Buffer.alloc(10);
    assert.equal(map.readAt('/at', target, 1), 5);
    assert.equal(target.toString('utf8', 0, 5), 'bXYef');
    assert.equal(map.readAt('/at', target, 100), 0);
    throwsCode(() => map.readAt('/none', target, 0), 'ENOENT', 'read');
    throwsCode(() => map.readAt('/at', target, -1), 'ERR_OUT_OF_RANGE');
  });

  test('have the names of node:fs', () => {
    map.mkdir('/n/m', { recursive: true });
    map.writeFile('/n/a', '1');
    map.rename('/n/a', '/n/b');
    map.link('/n/b', '/n/hard');
    map.symlink('b', '/n/soft');
    assert.equal(map.readlink('/n/soft'), 'b');
    assert.equal(map.stat('/n/soft').nlink, 2);
    assert.ok(map.lstat('/n/soft').isSymbolicLink());
    map.chmod('/n/b', 0o600);
    map.chown('/n/b', 3, 4);
    map.utimes('/n/b', 5, 6);
    map.truncate('/n/b', 0);
    assert.deepEqual(map.readdir('/n').sort(), ['b', 'hard', 'm', 'soft']);
    map.rm('/n', { recursive: true });
    assert.equal(map.exists('/n'), false);
  });

  test('walk a tree in byte order, parents first', () => {
    map.mkdir('/w/b', { recursive: true });
    map.writeFile('/w/b/x', '');
    map.writeFile('/w/a', '');
    map.symlink('a', '/w/c');
    const seen = [...map.walk('/w')].map(({ path: name, type, depth }) => [name, type, depth]);
    assert.deepEqual(seen, [
      ['/w/a', 'file', 1],
      ['/w/b', 'directory', 1],
      ['/w/b/x', 'file', 2],
      ['/w/c', 'symlink', 1],
    ]);
  });

  test('keep extended attributes', () => {
    map.writeFile('/x', '');
    map.symlink('x', '/x-link');
    assert.deepEqual(map.listxattr('/x'), []);
    map.setxattr('/x', 'user.one', 'value');
    map.setxattr('/x-link', 'user.two', Buffer.from([0, 1, 255]));
    assert.deepEqual(map.listxattr('/x').sort(), ['user.one', 'user.two']);
    assert.equal(map.getxattr('/x', 'user.one').toString(), 'value');
    assert.deepEqual(map.getxattr('/x', 'user.two'), Buffer.from([0, 1, 255]));
    throwsCode(() => map.getxattr('/x', 'user.none'), 'ENODATA', 'getxattr');
    throwsCode(() => map.attributes.set('/x', 'user.one', '', { create: true }), 'EEXIST');
    throwsCode(() => map.attributes.set('/x', 'user.none', '', { replace: true }), 'ENODATA');
    map.removexattr('/x', 'user.one');
    assert.deepEqual(map.listxattr('/x'), ['user.two']);
    throwsCode(() => map.removexattr('/x', 'user.one'), 'ENODATA', 'removexattr');
  });

  test('set times to the nanosecond and make special files', () => {
    map.writeFile('/t', '');
    map.attributes.utimesNs('/t', 1_600_000_000_123_456_789n, -1n);
    const stats = map.fs.statSync('/t', { bigint: true });
    assert.equal(stats.atimeNs, 1_600_000_000_123_456_789n);
    assert.equal(stats.mtimeNs, -1n);
    map.attributes.mknod('/fifo', 0o010644);
    assert.ok(map.stat('/fifo').isFIFO());
    map.attributes.mknod('/device', 0o020600, 0x103);
    assert.ok(map.stat('/device').isCharacterDevice());
    assert.equal(map.stat('/device').rdev, 0x103);
  });

  test('know holes', () => {
    const bytes = pattern(65_536, 2);
    map.writeFile('/h', bytes);
    map.writeAt('/h', bytes, 1_048_576);
    assert.equal(map.seekData('/h', 0), 0);
    const hole = map.seekHole('/h', 0);
    assert.ok(hole >= 65_536 && hole <= 1_048_576);
    throwsCode(() => map.seekData('/h', 5_000_000), 'ENXIO', 'lseek');
    map.punchHole('/h', 0, 65_536);
    assert.ok(
      map
        .readFile('/h')
        .subarray(0, 65_536)
        .every((byte) => byte === 0),
    );
    assert.equal(map.stat('/h').size, 1_048_576 + 65_536);
    map.fallocate('/h', 0, 2_000_000);
    assert.equal(map.stat('/h').size, 2_000_000);
    map.fallocate('/h', 0, 3_000_000, { keepSize: true });
    assert.equal(map.stat('/h').size, 2_000_000);
  });

  test('share data with clone', () => {
    const bytes = pattern(500_000, 3);
    map.writeFile('/c1', bytes);
    map.clone('/c1', '/c2');
    assert.ok(map.readFile('/c2').equals(bytes));
    map.writeAt('/c2', Buffer.from('changed'), 1000);
    assert.ok(map.readFile('/c1').equals(bytes));
  });

  test('place and locate files', () => {
    const bytes = pattern(100_000, 4);
    map.placeFile('/hot', bytes, { importance: 255 });
    map.placeFile('/cold', bytes, { importance: 0 });
    assert.ok(map.readFile('/hot').equals(bytes));
    assert.equal(map.attributes.importance('/hot'), 255);
    const extents = map.locate('/hot');
    assert.equal(
      extents.reduce((sum, { length }) => sum + length, 0),
      100_000,
    );
    const distance = (name) => map.locate(name)[0].distance;
    assert.ok(distance('/hot') < distance('/cold'));
    map.placeFile('/small', bytes.subarray(0, 4000), { importance: 255 });
    assert.equal(map.zoneOf('/small'), 'hot');
    map.attributes.setImportance('/hot', null);
    map.attributes.relocate('/hot');
    assert.ok(map.readFile('/hot').equals(bytes));
    throwsCode(() => map.attributes.setImportance('/hot', 256), 'ERR_OUT_OF_RANGE');
    assert.equal(map.zones()[0].zone, 'hot');
  });

  test('describe the map and check it', () => {
    assert.equal(map.info().form, 'live');
    assert.equal(map.statfs().blockSize, 4096);
    assert.equal(typeof map.stats(), 'object');
    map.configure({ label: 'new label' });
    assert.equal(map.settings().label, 'new label');
    let calls = 0;
    const report = map.verify({
      deep: true,
      onProgress() {
        calls += 1;
      },
    });
    assert.deepEqual([report.ok, report.problems], [true, []]);
    assert.ok(calls > 0);
    assert.equal(typeof map.compress({ all: true }).files, 'number');
    assert.equal(Buffer.from(map.render('zones').subarray(0, 4)).toString('hex'), '89504e47');
  });
});

describe('operations that call back', () => {
  test('cannot be entered twice', () => {
    const map = Map.create();
    map.writeFile('/a', pattern(100_000));
    throwsCode(() => map.packTo(() => map.readFile('/a')), 'EBUSY');
    assert.equal(map.readFile('/a').length, 100_000, 'the map is fine afterwards');
    const stop = new Error('enough');
    assert.throws(
      () =>
        map.packTo(() => {
          throw stop;
        }),
      (error) => error === stop,
    );
    throwsCode(() => map.verify({ onProgress: () => false }), 'ECANCELED', 'verify');
    map.close();
  });
});

describe('snapshots', () => {
  test('keep, show, bring back and forget', () => {
    const map = Map.create();
    map.writeFile('/a', 'one');
    map.snapshot.create('first', 'with a note');
    map.writeFile('/a', 'two');
    map.writeFile('/b', 'new');
    const [info] = map.snapshot.list();
    assert.deepEqual([info.name, info.note, info.automatic], ['first', 'with a note', false]);
    throwsCode(() => map.snapshot.create('first'), 'EEXIST', 'snapshot');
    const view = map.snapshot.open('first');
    assert.equal(view.readFile('/a', 'utf8'), 'one');
    assert.equal(view.exists('/b'), false);
    throwsCode(() => view.writeFile('/a', ''), 'EROFS');
    view.close();
    const automatic = map.snapshot.restore('first');
    assert.equal(automatic.automatic, true);
    assert.equal(map.readFile('/a', 'utf8'), 'one');
    assert.equal(map.exists('/b'), false);
    map.snapshot.restore(automatic.name);
    assert.equal(map.readFile('/b', 'utf8'), 'new');
    map.snapshot.delete('first');
    throwsCode(() => map.snapshot.open('first'), 'ENOENT', 'snapshot');
    assert.deepEqual(map.verify().problems, []);
    map.close();
  });
});

describe('a map file', () => {
  test('opens in the ways of fs.open', () => {
    const file = newFile();
    throwsCode(() => openMap(file), 'ENOENT', 'open');
    throwsCode(() => openMap(file, { mode: 'r' }), 'ENOENT', 'open');
    let map = openMap(file, { mode: 'a' });
    map.writeFile('/kept', 'yes');
    map.close();
    throwsCode(() => openMap(file, { mode: 'wx' }), 'EEXIST', 'open');
    map = openMap(pathToFileURL(file), { mode: 'a' });
    assert.equal(map.readFile('/kept', 'utf8'), 'yes');
    assert.equal(map.path, nodeFs.realpathSync(file));
    map.close();
    map = Map.openFile(file, { mode: 'r' });
    assert.equal(map.readOnly, true);
    throwsCode(() => map.writeFile('/kept', ''), 'EROFS');
    map.close();
    map = openMap(file, { mode: 'w' });
    assert.deepEqual(map.readdir('/'), []);
    map.close();
    assert.deepEqual(
      nodeFs.readdirSync(home).filter((name) => name.startsWith(path.basename(file))),
      [path.basename(file)],
    );
  });

  test('keeps an old map when a new one cannot be made', () => {
    const file = exampleFile();
    throwsCode(() => openMap(file, { mode: 'w', width: 5 }), 'EINVAL');
    const map = openMap(file, { mode: 'r' });
    assert.equal(map.readFile('/docs/hello', 'utf8'), 'hello');
    map.close();
    const absent = newFile();
    throwsCode(() => openMap(absent, { mode: 'wx', width: 5 }), 'EINVAL');
    assert.equal(nodeFs.existsSync(absent), false);
  });

  test('gives its PNG while it is open', () => {
    const file = exampleFile();
    const map = openMap(file);
    map.writeFile('/more', 'more');
    const copy = Map.open(map.toPng());
    assert.equal(copy.readFile('/more', 'utf8'), 'more');
    copy.close();
    map.close();
  });

  test('keeps what was synced when nothing more is written', () => {
    const file = exampleFile();
    let map = openMap(file);
    map.writeFile('/synced', 'kept');
    map.sync();
    map.writeFile('/not-synced', 'lost, perhaps');
    map.abandon();
    map = openMap(file);
    assert.equal(map.readFile('/synced', 'utf8'), 'kept');
    assert.deepEqual(map.verify({ deep: true }).problems, []);
    map.close();
  });

  test('is closed at the end of a process that forgot to', () => {
    const file = newFile();
    const script = `
      import { openMap } from ${JSON.stringify(library)};
      openMap(${JSON.stringify(file)}, { mode: 'wx' }).writeFile('/a', 'written');`;
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', script]);
    assert.equal(child.status, 0, String(child.stderr));
    assert.equal(nodeFs.existsSync(`${file}-lock`), false);
    const map = openMap(file, { mode: 'r' });
    assert.equal(map.readFile('/a', 'utf8'), 'written');
    map.close();
  });

  test('survives a killed process with all that was synced', async () => {
    const file = newFile();
    const script = `
      import { openMap } from ${JSON.stringify(library)};
      const map = openMap(${JSON.stringify(file)}, { mode: 'wx' });
      for (let index = 0; index < 50; index += 1) map.writeFile('/f' + index, 'x'.repeat(index * 100));
      map.sync();
      for (let index = 0; index < 50; index += 1) map.writeFile('/g' + index, 'y'.repeat(index * 100));
      console.log('ready');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
    await new Promise((resolve) => {
      child.stdout.once('data', resolve);
    });
    const holder = lockHolder(nodeFs.realpathSync(file));
    assert.equal(holder.pid, child.pid);
    throwsCode(() => openMap(file), 'EBUSY', 'open');
    throwsCode(() => openMap(file, { mode: 'r' }), 'EBUSY', 'open');
    child.kill('SIGKILL');
    await new Promise((resolve) => {
      child.once('exit', resolve);
    });
    const map = openMap(file);
    for (let index = 0; index < 50; index += 1) {
      assert.equal(map.readFile(`/f${index}`, 'utf8'), 'x'.repeat(index * 100));
    }
    assert.deepEqual(map.verify({ deep: true }).problems, []);
    map.close();
    assert.equal(nodeFs.existsSync(`${file}-wal`), false);
    assert.equal(nodeFs.existsSync(`${file}-lock`), false);
  });
});

describe('the lock', () => {
  const stale = (changes) => ({
    pid: process.pid,
    host: hostname(),
    boot_id: null,
    started: null,
    program: 'test',
    mode: 'rw',
    socket: null,
    since: new Date(0).toISOString(),
    ...changes,
  });

  test('refuses a second writer and names the first', () => {
    const file = exampleFile();
    const map = openMap(file, { program: 'the first one' });
    assert.throws(
      () => openMap(file),
      (error) =>
        error.code === 'EBUSY' &&
        error.reason === 'locked' &&
        error.message.includes(`process ${process.pid} (the first one) on ${hostname()} since 20`),
    );
    const link = `${file}-link`;
    nodeFs.symlinkSync(file, link);
    throwsCode(() => openMap(link), 'EBUSY', 'open');
    map.close();
    openMap(link).close();
    nodeFs.unlinkSync(link);
  });

  test('is taken over from holders that are gone', () => {
    const file = exampleFile();
    const dead = spawnSync(process.execPath, ['-e', '']).pid;
    for (const record of [
      stale({ pid: dead }),
      stale({ boot_id: 'another boot' }),
      stale({ started: 1 }),
    ]) {
      nodeFs.writeFileSync(`${file}-lock`, JSON.stringify(record));
      assert.equal(lockHolder(file), undefined);
      openMap(file).close();
      assert.equal(nodeFs.existsSync(`${file}-lock`), false);
    }
    const beside = nodeFs.readdirSync(home).filter((name) => name.startsWith(path.basename(file)));
    assert.deepEqual(beside, [path.basename(file)]);
  });

  test('is respected where its holder cannot be judged', () => {
    const file = exampleFile();
    nodeFs.writeFileSync(`${file}-lock`, JSON.stringify(stale({ host: 'elsewhere', pid: 1 })));
    throwsCode(() => openMap(file), 'EBUSY', 'open');
    assert.equal(lockHolder(file).host, 'elsewhere');
    const view = openMap(file, { mode: 'r', lock: false });
    view.close();
    nodeFs.writeFileSync(`${file}-lock`, 'half a rec');
    throwsCode(() => openMap(file), 'EBUSY', 'open');
    const old = new Date(Date.now() - 60_000);
    nodeFs.utimesSync(`${file}-lock`, old, old);
    openMap(file).close();
  });

  test('is won by one of many', async () => {
    const file = exampleFile();
    nodeFs.writeFileSync(`${file}-lock`, JSON.stringify(stale({ boot_id: 'another boot' })));
    const racer = fileURLToPath(new URL('support/racer.mjs', import.meta.url));
    const racers = Array.from({ length: 6 }, () => spawn(process.execPath, [racer, file]));
    const results = await Promise.all(
      racers.map(async (child) => {
        let output = '';
        for await (const chunk of child.stdout) output += chunk;
        return output.trim();
      }),
    );
    assert.equal(results.filter((result) => result === 'won').length, 1, results.join(' '));
    assert.equal(results.filter((result) => result === 'EBUSY').length, 5, results.join(' '));
  });
});

describe('packed and re-saved maps', () => {
  test('a packed map opens read-only and becomes live when opened for writing', () => {
    const file = exampleFile();
    const map = openMap(file, { mode: 'r' });
    const expected = picture(map.fs, '/');
    const packed = map.pack();
    map.close();
    const other = newFile();
    nodeFs.writeFileSync(other, packed, { mode: 0o640 });
    const view = openMap(other, { mode: 'r' });
    assert.equal(view.info().form, 'packed');
    assert.deepEqual(picture(view.fs, '/'), expected);
    throwsCode(() => view.writeFile('/x', ''), 'EROFS');
    view.close();
    const live = openMap(other);
    assert.equal(live.info().form, 'live');
    assert.deepEqual(picture(live.fs, '/'), expected);
    live.writeFile('/x', 'written');
    live.close();
    assert.equal(nodeFs.statSync(other).mode & 0o777, 0o640);
    const memory = Map.open(packed);
    assert.deepEqual(picture(memory.fs, '/'), expected);
    memory.close();
  });
});

describe('input that is no map', () => {
  const open = (bytes) => {
    const reasons = [reasonOf(() => Map.open(bytes))];
    for (const mode of ['r', 'r+']) {
      const file = newFile();
      nodeFs.writeFileSync(file, bytes);
      reasons.push(reasonOf(() => openMap(file, { mode })));
      assert.ok(nodeFs.readFileSync(file).equals(bytes), 'the file is left as it was');
      assert.deepEqual(
        nodeFs.readdirSync(home).filter((name) => name.startsWith(`${path.basename(file)}-`)),
        [],
        'nothing stays beside it',
      );
    }
    return reasons;
  };

  test('an empty file, text and other bytes', () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from('hello, world'), pattern(100_000)]) {
      assert.deepEqual(open(bytes), ['not-a-map', 'not-a-map', 'not-a-map']);
    }
  });

  test('another picture', () => {
    const map = Map.create();
    const png = Buffer.from(map.render('zones', { size: 64 }));
    map.close();
    for (const reason of open(png)) assert.ok(['not-a-map', 'resized'].includes(reason), reason);
  });

  test('a truncated map', () => {
    const whole = nodeFs.readFileSync(exampleFile());
    for (const part of [0.2, 0.5, 0.9, 0.999]) {
      const cut = whole.subarray(0, Math.floor(whole.length * part));
      for (const reason of open(cut)) assert.equal(reason, 'truncated', `${part} of the file`);
    }
    for (const length of [1, 8, 20, 33, 60]) {
      for (const reason of open(whole.subarray(0, length))) {
        assert.ok(['truncated', 'not-a-map'].includes(reason), `${length} bytes: ${reason}`);
      }
    }
  });

  test('a damaged map never stops the engine', () => {
    const whole = nodeFs.readFileSync(exampleFile());
    for (let round = 0; round < 40; round += 1) {
      const bytes = Buffer.from(whole);
      const noise = pattern(64, round + 1);
      for (let flip = 0; flip < 4; flip += 1) {
        bytes[noise.readUInt32LE(flip * 4) % bytes.length] ^= 1 + (noise[32 + flip] & 127);
      }
      try {
        const map = Map.open(bytes);
        map.verify({ deep: true });
        for (const entry of map.walk()) if (entry.type === 'file') map.readFile(entry.path);
        map.close();
      } catch (error) {
        assert.ok(error instanceof AetherFlowError, String(error.stack));
        assert.notEqual(error.reason, 'internal', error.message);
      }
    }
  });
});
