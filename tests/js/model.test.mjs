/**
 * The same random calls on a map file and on the real node:fs: results, error codes and trees must
 * agree, also after the map is closed, synced, abandoned after a sync, or brought back to a
 * snapshot. AETHERFLOW_SEED repeats one run.
 */

import assert from 'node:assert/strict';
import * as nodeFs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import { openMap } from 'aetherflow';
import { pattern } from './support/targets.mjs';

const SEEDS = process.env.AETHERFLOW_SEED ? [Number(process.env.AETHERFLOW_SEED)] : [1, 2, 3];
const STEPS = 1500;

function generator(seed) {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

const NAMES = ['a', 'b', 'c', 'dir', 'ü', 'a-rather-longer-name.txt'];

/** A call on `fs` below `root`, the same for both sides. */
function randomCall(random) {
  const name = () => NAMES[random(NAMES.length)];
  const file = () => Array.from({ length: 1 + random(3) }, name).join('/');
  const [one, two] = [file(), file()];
  const size = [0, 10, 150, 4096, 5000, 40_000, 140_000][random(7)];
  const seed = random(1000) + 1;
  const at = random(150_000);
  const calls = [
    (fs, p) => fs.writeFileSync(p(one), pattern(size, seed)),
    (fs, p) => fs.writeFileSync(p(one), pattern(size, seed)),
    (fs, p) => fs.appendFileSync(p(one), pattern(size >> 2, seed)),
    (fs, p) => fs.readFileSync(p(one)).toString('base64'),
    (fs, p) => fs.mkdirSync(p(one)),
    (fs, p) => fs.mkdirSync(p(one), { recursive: true }) && 'made',
    (fs, p) => fs.rmdirSync(p(one)),
    (fs, p) => fs.unlinkSync(p(one)),
    (fs, p) => fs.renameSync(p(one), p(two)),
    (fs, p) => fs.renameSync(p(one), p(two)),
    (fs, p) => fs.linkSync(p(one), p(two)),
    (fs, p) => fs.symlinkSync(NAMES[seed % NAMES.length], p(one)),
    (fs, p) => fs.readlinkSync(p(one)),
    (fs, p) => fs.truncateSync(p(one), at),
    // What Node says of a directory here depends on the target first.
    (fs, p) => fs.statSync(p(one)).isFile() && fs.copyFileSync(p(one), p(two)),
    (fs, p) => fs.readdirSync(p(one)).sort(),
    (fs, p) => fs.statSync(p(one)).size * Number(fs.statSync(p(one)).isFile()),
    (fs, p) => fs.lstatSync(p(one)).mode,
    (fs, p) => fs.chmodSync(p(one), seed & 0o777),
    (fs, p) => fs.utimesSync(p(one), seed, seed + 1),
    (fs, p) => (random(4) === 0 ? fs.rmSync(p(one), { recursive: true }) : undefined),
    (fs, p) => {
      const fd = fs.openSync(p(one), 'r+');
      try {
        return fs.writeSync(fd, pattern(size, seed), 0, size, at);
      } finally {
        fs.closeSync(fd);
      }
    },
  ];
  return calls[random(calls.length)];
}

function outcome(fs, root, call) {
  try {
    return call(fs, (name) => path.posix.join(root, name));
  } catch (error) {
    // Renaming a file over the directory it lies in is both; Linux looks at the one first.
    if (error.syscall === 'rename' && error.code === 'ENOTEMPTY') return 'EISDIR';
    return error.code;
  }
}

function tree(fs, root) {
  const facts = {};
  const visit = (directory, shown) => {
    for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
      const [file, name] = [path.posix.join(directory, entry.name), `${shown}/${entry.name}`];
      const stats = fs.lstatSync(file);
      facts[name] = [stats.mode, stats.nlink];
      if (entry.isFile()) facts[name].push(fs.readFileSync(file).toString('base64'));
      if (entry.isSymbolicLink()) facts[name].push(fs.readlinkSync(file));
      if (entry.isDirectory()) visit(file, name);
    }
  };
  visit(root, '');
  return facts;
}

for (const seed of SEEDS) {
  test(`random calls agree with node:fs, AETHERFLOW_SEED=${seed}`, () => {
    const home = nodeFs.mkdtempSync(path.join(tmpdir(), 'aetherflow-model-'));
    const file = path.join(home, 'map.rts.png');
    const reference = path.join(home, 'reference');
    nodeFs.mkdirSync(reference);
    const umask = process.umask(0o022);
    let map = openMap(file, { mode: 'wx', compression: ['off', 'zone', 'all'][seed % 3] });
    const random = generator(seed);
    const compare = (when) => {
      assert.deepEqual(tree(map.fs, '/'), tree(nodeFs, reference), when);
      assert.deepEqual(map.verify({ deep: true }).problems, [], when);
    };
    try {
      for (let step = 0; step < STEPS; step += 1) {
        const state = random(2 ** 31);
        const expected = outcome(nodeFs, reference, randomCall(generator(state)));
        const found = outcome(map.fs, '/', randomCall(generator(state)));
        assert.deepEqual(found, expected, `step ${step}: ${String(randomCall(generator(state)))}`);
        if (step % 100 === 99) {
          compare(`after step ${step}`);
          const turn = random(5);
          if (turn === 0) map.sync();
          if (turn === 1) map.close();
          if (turn === 2) {
            map.sync();
            map.abandon();
          }
          if (turn === 3) {
            map.snapshot.create(`s${step}`);
            map.rm('/a', { recursive: true, force: true });
            map.writeFile('/other', pattern(100_000, step));
            map.snapshot.restore(`s${step}`);
          }
          if (turn === 4) map.compress({ all: true });
          if (map.closed) map = openMap(file);
          compare(`after turn ${turn} at step ${step}`);
        }
      }
    } finally {
      map.abandon();
      process.umask(umask);
    }
    nodeFs.rmSync(home, { recursive: true });
  });
}
