// Every kind of bad input ends with its own code, one line, and the map as it was.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';

import { openMap } from 'aetherflow';

import {
  content,
  fails,
  isRoot,
  leftovers,
  ok,
  random,
  run,
  scratch,
  sha,
  start,
} from './support.mjs';

function smallMap(t) {
  const directory = scratch(t);
  const source = path.join(directory, 'source');
  fs.mkdirSync(source);
  fs.writeFileSync(path.join(source, 'file'), content(random(1), 200000));
  fs.writeFileSync(path.join(source, 'noise'), content(random(2), 300000, 'noise'));
  const map = path.join(directory, 'map.rts.png');
  ok(['build', source, map]);
  return { directory, source, map };
}

test('wrong usage: 2', () => {
  fails(2, ['frobnicate']);
  fails(2, ['ls']);
  fails(2, ['ls', '--nope', 'x']);
  fails(2, ['create', '--width', '1000', 'x']);
  fails(2, ['build', '--level', '99', 'a', 'b']);
  fails(2, ['completion', 'tcsh']);
  assert.equal(run([]).code, 2);
  const made = run(['ls', '--json']);
  assert.equal(made.code, 2);
  assert.equal(JSON.parse(made.stderr).error.exit, 2);
});

test('not a map: 3', (t) => {
  const directory = scratch(t);
  const file = path.join(directory, 'text');
  fs.writeFileSync(file, 'not a picture at all');
  assert.match(fails(3, ['info', file]), /text/);
  fs.writeFileSync(file, '');
  fails(3, ['info', file]);
  // A picture, but not one of ours: 1 x 1.
  const pixel =
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
  fs.writeFileSync(file, Buffer.from(pixel, 'base64'));
  fails(3, ['info', file]);
  const made = run(['info', '--json', file]);
  const { error } = JSON.parse(made.stderr);
  assert.equal(error.exit, 3);
  assert.equal(typeof error.reason, 'string');
});

test('truncated: 3', (t) => {
  const { map } = smallMap(t);
  const size = fs.statSync(map).size;
  for (const length of [Math.floor(size / 2), 40, 9]) {
    fs.truncateSync(map, length);
    fails(3, ['ls', map]);
  }
});

test('a huge header: no huge allocation', (t) => {
  const { map } = smallMap(t);
  const bytes = fs.readFileSync(map);
  bytes.writeUInt32BE(0x7fffffff, 16);
  bytes.writeUInt32BE(0x7fffffff, 20);
  fs.writeFileSync(map, bytes);
  const made = run(['ls', map]);
  assert.ok([0, 3, 4, 5].includes(made.code), `${made.code} ${made.stderr}`);
});

test('damage: 4 on reading, 12 in verify, 11 with --keep-going', (t) => {
  const { directory, map } = smallMap(t);
  const located = JSON.parse(ok(['locate', '--json', map, '/noise']).stdout).extents[0];
  const descriptor = fs.openSync(map, 'r+');
  const { width } = JSON.parse(ok(['info', '--json', map]).stdout);
  // Damage one pixel of the file's first tile: find its bytes by content instead of by layout.
  const noise = content(random(2), 300000, 'noise');
  const bytes = fs.readFileSync(map);
  const at = bytes.indexOf(noise.subarray(0, 64));
  assert.ok(
    at > 0,
    `the first bytes lie in the picture as they are (width ${width}, cluster ${located.cluster})`,
  );
  fs.writeSync(descriptor, Buffer.from([bytes[at] ^ 0xff]), 0, 1, at);
  fs.closeSync(descriptor);
  assert.match(fails(4, ['cat', map, '/noise']), /\/noise/);
  assert.equal(ok(['cat', map, '/file']).bytes.length, 200000);
  const verified = run(['verify', map]);
  assert.equal(verified.code, 12);
  assert.match(verified.stdout, /\/noise/);
  const report = JSON.parse(run(['verify', '--json', map]).stdout);
  assert.equal(report.ok, false);
  assert.ok(report.problems.some((problem) => problem.path === '/noise'));
  const out = path.join(directory, 'out');
  const kept = run(['extract', '--keep-going', map, out]);
  assert.equal(kept.code, 11);
  assert.match(kept.stderr, /left out .*noise/);
  assert.deepEqual(fs.readdirSync(out), ['file']);
  fails(4, ['extract', map, path.join(directory, 'strict')]);
  assert.ok(!fs.existsSync(path.join(directory, 'strict/noise')), 'no half file is left');
});

test('locked: 6', async (t) => {
  const { directory, source, map } = smallMap(t);
  const held = openMap(map, { mode: 'r+' });
  try {
    assert.match(fails(6, ['put', map, source, '/x', '-r']), new RegExp(String(process.pid)));
    fails(6, ['build', '--force', source, map]);
    fails(6, ['create', '--force', map]);
  } finally {
    held.close();
  }
  ok(['put', '-r', map, source, '/x']);
  assert.deepEqual(leftovers(directory), []);
});

test('no space: 7', { skip: isRoot ? false : 'needs root to mount a small filesystem' }, (t) => {
  const directory = scratch(t);
  const small = path.join(directory, 'small');
  fs.mkdirSync(small);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', small]).status !== 0) {
    t.skip('mounting is not allowed here');
    return;
  }
  try {
    const source = path.join(directory, 'source');
    fs.mkdirSync(source);
    fs.writeFileSync(path.join(source, 'noise'), content(random(4), 12 << 20, 'noise'));
    const map = path.join(small, 'map.rts.png');
    fails(7, ['build', source, map]);
    assert.deepEqual(fs.readdirSync(small), [], 'nothing is left behind');
    ok(['create', map]);
    ok(['put', map, '-', '/before'], { input: 'before' });
    fails(7, ['put', map, path.join(source, 'noise'), '/noise']);
    assert.equal(ok(['cat', map, '/before']).stdout, 'before');
    const whole = path.join(directory, 'whole.rts.png');
    ok(['build', source, whole]);
    fails(7, ['extract', whole, path.join(small, 'out')]);
  } finally {
    spawnSync('umount', [small]);
  }
});

test('read-only: 8', { skip: isRoot ? 'root may write everything' : false }, (t) => {
  const { map, source } = smallMap(t);
  const before = sha(map);
  fs.chmodSync(map, 0o444);
  fails(8, ['put', '-r', map, source, '/x']);
  assert.equal(sha(map), before);
  fs.chmodSync(map, 0o000);
  fails(8, ['ls', map]);
});

test('missing: 9', (t) => {
  const { directory, map } = smallMap(t);
  assert.match(
    fails(9, ['info', path.join(directory, 'nothing')]),
    /nothing: no such file or directory/,
  );
  assert.match(fails(9, ['cat', map, '/nothing']), /\/nothing in /);
  fails(9, ['build', path.join(directory, 'nothing'), path.join(directory, 'x')]);
  fails(9, ['put', map, path.join(directory, 'nothing'), '/x']);
  fails(9, ['extract', map, path.join(directory, 'out'), '/nothing']);
  fails(9, ['ls', '--snapshot', 'nothing', map]);
  fails(9, ['cat', map, '/file/below']);
});

test('exists: 10', (t) => {
  const { directory, source, map } = smallMap(t);
  const before = sha(map);
  assert.match(fails(10, ['build', source, map]), /--force/);
  fails(10, ['create', map]);
  fails(10, ['pack', map, path.join(source, 'file')]);
  assert.equal(sha(map), before);
  assert.deepEqual(leftovers(directory), []);
});

test('an unreadable source file: named; left out with --keep-going', (t) => {
  const directory = scratch(t);
  const source = path.join(directory, 'source');
  fs.mkdirSync(source);
  fs.writeFileSync(path.join(source, 'readable'), 'yes'.repeat(1000));
  fs.writeFileSync(path.join(source, 'secret'), 'no'.repeat(1000));
  fs.chmodSync(path.join(source, 'secret'), 0);
  const uid = isRoot ? 65534 : undefined;
  if (isRoot) {
    for (const name of ['.', 'source']) fs.chmodSync(path.join(directory, name), 0o777);
  }
  const map = path.join(directory, 'map.rts.png');
  const probe = run(['--version'], { uid });
  if (probe.code !== 0) {
    t.skip('the program is not readable for another user');
    return;
  }
  assert.match(fails(8, ['build', source, map], { uid }), /source\/secret: permission denied/);
  assert.deepEqual(fs.readdirSync(directory), ['source'], 'nothing was written');
  const made = run(['build', '--keep-going', source, map], { uid });
  assert.equal(made.code, 11, made.stderr);
  assert.match(made.stderr, /left out .*secret: permission denied/);
  assert.equal(ok(['ls', map]).stdout, 'readable\n');
});

test('every bit flip in the first bytes is an error or harmless, never a trap', (t) => {
  const { map } = smallMap(t);
  const bytes = fs.readFileSync(map);
  const next = random(77);
  for (let round = 0; round < 12; round += 1) {
    const damaged = Buffer.from(bytes);
    const at = next() % 4096;
    damaged[at] ^= 1 << (next() % 8);
    fs.writeFileSync(map, damaged);
    const made = run(['ls', map]);
    assert.ok(made.code !== null && made.code !== 1, `byte ${at}: ${made.code} ${made.stderr}`);
    assert.doesNotMatch(made.stderr, /RuntimeError|unreachable/);
  }
});

test('interrupted: nothing is left of a build', async (t) => {
  const directory = scratch(t);
  const source = path.join(directory, 'source');
  fs.mkdirSync(source);
  for (let index = 0; index < 60; index += 1) {
    fs.writeFileSync(path.join(source, `file-${index}`), content(random(index), 2 << 20, 'noise'));
  }
  const map = path.join(directory, 'map.rts.png');
  const child = start(['build', '--level', '19', source, map], {
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) =>
    child.on('exit', (code, signal) => resolve({ code, signal })),
  );
  while (
    child.exitCode === null &&
    !fs.readdirSync(directory).some((name) => name.endsWith('.part'))
  ) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
  child.kill('SIGINT');
  const { code } = await ended;
  assert.equal(code, 130);
  assert.deepEqual(fs.readdirSync(directory), ['source']);
});

test('saved again by another program: whole; resized: 3', (t) => {
  const { directory, map } = smallMap(t);
  const other = path.join(directory, 'other.png');
  const pillow = (work) =>
    spawnSync('python3', [
      '-c',
      `import sys; from PIL import Image; Image.MAX_IMAGE_PIXELS = None; i = Image.open(sys.argv[1]); ${work}.save(sys.argv[2])`,
      map,
      other,
    ]);
  if (pillow('i').status !== 0) {
    t.skip('Pillow is not installed');
    return;
  }
  assert.equal(ok(['cat', other, '/file']).bytes.length, 200000);
  const live = path.join(directory, 'live.rts.png');
  ok(['unpack', other, live]);
  ok(['verify', live]);
  ok(['put', other, '-', '/more'], { input: 'written' });
  assert.equal(ok(['cat', other, '/more']).stdout, 'written');
  pillow('i.resize((i.width // 2, i.height // 2))');
  fails(3, ['ls', other]);
});

test('a map with a backslash in its name', (t) => {
  const map = path.join(scratch(t), 'back\\slash.rts.png');
  ok(['create', map]);
  ok(['put', map, '-', '/x'], { input: 'x' });
  assert.equal(ok(['cat', map, '/x']).stdout, 'x');
});
