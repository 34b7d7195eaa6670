/**
 * Filesystems that live in one Node process, side by side.
 *
 *   node benches/node-vfs.mjs [--json] [--only NAME] [--runs N]
 *
 * Each contestant runs in a process of its own, three times; the table shows medians. Peers
 * (memfs, better-sqlite3) come from benches/package.json and are left out when not installed.
 * AETHERFLOW_BENCH=smoke asks for a tiny run. Lines `figure | name | value | goal | ok` repeat
 * what has a goal.
 *
 * What is measured, for N files of 4 KiB in 100 directories: writing each whole, reading and
 * stat-ing in random order. File-backed contestants make everything durable at the end of the
 * writing, are closed and opened again before the reading. Then one large file, written and read
 * in order by positional calls of 64 KiB.
 */

import { spawnSync } from 'node:child_process';
import * as nodeFs from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';

const SMOKE = process.env.AETHERFLOW_BENCH === 'smoke';
const FILES = SMOKE ? 500 : 10_000;
const FILE_BYTES = 4096;
const LARGE_BYTES = (SMOKE ? 4 : 256) << 20;
const BLOCK_BYTES = 65_536;

const require = createRequire(import.meta.url);

/** The same bytes in every run; different for every file. */
const pool = (() => {
  const bytes = Buffer.alloc((1 << 20) + BLOCK_BYTES);
  let state = 12_345;
  for (let at = 0; at < bytes.length; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes.writeUInt32LE(state, at);
  }
  return bytes;
})();

function content(index) {
  const start = (index * 7919) & 0xfffff;
  return pool.subarray(start, start + FILE_BYTES);
}

function block(index) {
  const start = (index * 104_729) & 0xfffff;
  return pool.subarray(start, start + BLOCK_BYTES);
}

const names = Array.from({ length: FILES }, (_, index) => `/d${index % 100}/file-${index}`);

function shuffled() {
  const order = Array.from({ length: FILES }, (_, index) => index);
  let state = 99;
  for (let index = FILES - 1; index > 0; index -= 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const other = state % (index + 1);
    [order[index], order[other]] = [order[other], order[index]];
  }
  return order;
}

function fsContestant(open) {
  return (home) => {
    let opened = open(home, true);
    let { fs, root } = opened;
    const large = `${root}/large`;
    return {
      prepare() {
        for (let index = 0; index < 100; index += 1) fs.mkdirSync(`${root}/d${index}`);
      },
      write: (index) => fs.writeFileSync(root + names[index], content(index)),
      read: (index) => fs.readFileSync(root + names[index]),
      stat: (index) => fs.statSync(root + names[index]).size,
      durable: () => opened.durable?.(),
      reopen() {
        if (opened.close === undefined) return;
        opened.close();
        opened = open(home, false);
        ({ fs, root } = opened);
      },
      openLarge: (flags) => fs.openSync(large, flags),
      writeBlock: (fd, index) =>
        fs.writeSync(fd, block(index), 0, BLOCK_BYTES, index * BLOCK_BYTES),
      readBlock: (fd, index, buffer) =>
        fs.readSync(fd, buffer, 0, BLOCK_BYTES, index * BLOCK_BYTES),
      closeLarge: (fd) => fs.closeSync(fd),
      close: () => opened.close?.(),
    };
  };
}

function sqlite(memory) {
  return (home) => {
    const Database = require('better-sqlite3');
    const file = memory ? ':memory:' : path.join(home, 'files.sqlite');
    let database;
    let statements;
    const open = () => {
      database = new Database(file);
      database.pragma('journal_mode = WAL');
      database.pragma('synchronous = NORMAL');
      database.exec(`CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, size INTEGER, mode INTEGER, data BLOB);
        CREATE TABLE IF NOT EXISTS blocks (id INTEGER PRIMARY KEY, data BLOB);`);
      statements = {
        write: database.prepare('INSERT OR REPLACE INTO files VALUES (?, ?, 33188, ?)'),
        read: database.prepare('SELECT data FROM files WHERE path = ?').pluck(),
        stat: database.prepare('SELECT size, mode FROM files WHERE path = ?'),
        writeBlock: database.prepare('INSERT OR REPLACE INTO blocks VALUES (?, ?)'),
        readBlock: database.prepare('SELECT data FROM blocks WHERE id = ?').pluck(),
      };
    };
    open();
    return {
      prepare() {},
      write: (index) => statements.write.run(names[index], FILE_BYTES, content(index)),
      read: (index) => statements.read.get(names[index]),
      stat: (index) => statements.stat.get(names[index]).size,
      durable: () => database.pragma('wal_checkpoint(TRUNCATE)'),
      reopen() {
        if (memory) return;
        database.close();
        open();
      },
      openLarge: () => 0,
      writeBlock: (_fd, index) => statements.writeBlock.run(index, block(index)),
      readBlock: (_fd, index) => statements.readBlock.get(index).length,
      closeLarge() {},
      close: () => database.close(),
    };
  };
}

const { Map, openMap } = await import('aetherflow');

const CONTESTANTS = {
  'map in memory': fsContestant(() => ({
    fs: Map.create({ expectedSize: LARGE_BYTES }).fs,
    root: '',
  })),
  memfs: fsContestant(() => ({
    fs: require('memfs').createFsFromVolume(new (require('memfs').Volume)()),
    root: '',
  })),
  'better-sqlite3 in memory': sqlite(true),
  'map file': fsContestant((home, fresh) => {
    const file = path.join(home, 'map.rts.png');
    const map = openMap(file, { mode: fresh ? 'wx' : 'r+', expectedSize: LARGE_BYTES });
    return { fs: map.fs, root: '', durable: () => map.sync(), close: () => map.close() };
  }),
  'better-sqlite3 file': sqlite(false),
  'node:fs': fsContestant((home) => ({ fs: nodeFs, root: home })),
};

function seconds(action) {
  const start = process.hrtime.bigint();
  action();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

/** Runs one contestant in this process and prints its figures as JSON. */
function measure(name) {
  const home = nodeFs.mkdtempSync(path.join(tmpdir(), 'aetherflow-bench-'));
  try {
    const contestant = CONTESTANTS[name](home);
    const order = shuffled();
    const figures = {};
    contestant.prepare();
    const rate = (count, time) => count / time;
    figures.writes = rate(
      FILES,
      seconds(() => {
        for (let index = 0; index < FILES; index += 1) contestant.write(index);
        contestant.durable();
      }),
    );
    contestant.reopen();
    figures.reads = rate(
      FILES,
      seconds(() => {
        for (const index of order) contestant.read(index);
      }),
    );
    figures.stats = rate(
      FILES,
      seconds(() => {
        for (const index of order) contestant.stat(index);
      }),
    );
    for (let index = 0; index < FILES; index += 97) {
      if (!content(index).equals(contestant.read(index))) throw new Error(`${name}: wrong bytes`);
    }
    const blocks = LARGE_BYTES / BLOCK_BYTES;
    const buffer = Buffer.alloc(BLOCK_BYTES);
    let fd = contestant.openLarge('w+');
    const written = seconds(() => {
      for (let index = 0; index < blocks; index += 1) contestant.writeBlock(fd, index);
      contestant.durable();
    });
    contestant.closeLarge(fd);
    contestant.reopen();
    fd = contestant.openLarge('r');
    const read = seconds(() => {
      for (let index = 0; index < blocks; index += 1) contestant.readBlock(fd, index, buffer);
    });
    contestant.closeLarge(fd);
    figures.largeWrite = LARGE_BYTES / written / 1e6;
    figures.largeRead = LARGE_BYTES / read / 1e6;
    contestant.close();
    figures.peakMiB = process.resourceUsage().maxRSS / 1024;
    if (name === 'map file') figures.openMs = firstRead(path.join(home, 'map.rts.png'));
    console.log(JSON.stringify(figures));
  } finally {
    nodeFs.rmSync(home, { recursive: true });
  }
}

/** Milliseconds to open the map and read one file; the engine is loaded already. */
function firstRead(file) {
  return (
    seconds(() => {
      const map = openMap(file, { mode: 'r' });
      map.readFile(names[FILES >> 1]);
      map.close();
    }) * 1000
  );
}

function median(values) {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

function isInstalled(name) {
  const peer = /^(memfs|better-sqlite3)/.exec(name)?.[0];
  if (peer === undefined) return true;
  try {
    require(peer);
    return true;
  } catch {
    return false;
  }
}

/** What the map has to beat: operations per second and MB/s. */
const GOALS = {
  'map in memory': { writes: 39_000, reads: 77_000, stats: 282_000 },
  'map file': { writes: 37_000, reads: 102_000, stats: 248_000, largeRead: 1400 },
};

const COLUMNS = [
  ['writes', 'writes/s', 0],
  ['reads', 'reads/s', 0],
  ['stats', 'stats/s', 0],
  ['largeWrite', 'write MB/s', 0],
  ['largeRead', 'read MB/s', 0],
  ['openMs', 'open ms', 1],
  ['peakMiB', 'peak MiB', 0],
];

function option(name) {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

function main() {
  const runs = Number(option('--runs') ?? (SMOKE ? 1 : 3));
  const only = option('--only');
  const results = {};
  for (const name of Object.keys(CONTESTANTS)) {
    if ((only !== undefined && only !== name) || !isInstalled(name)) continue;
    const samples = [];
    for (let run = 0; run < runs; run += 1) {
      const self = fileURLToPath(import.meta.url);
      const child = spawnSync(process.execPath, [self, '--measure', name], { encoding: 'utf8' });
      if (child.status !== 0) throw new Error(`${name}: ${child.stderr}`);
      samples.push(JSON.parse(child.stdout));
    }
    results[name] = Object.fromEntries(
      COLUMNS.map(([key]) => [key, median(samples.map((sample) => sample[key]))]),
    );
  }
  if (process.argv.includes('--json')) {
    console.log(JSON.stringify({ files: FILES, largeBytes: LARGE_BYTES, runs, results }, null, 2));
    return;
  }
  print(results);
}

function print(results) {
  const width = 26;
  console.log(
    `${FILES} files of ${FILE_BYTES} bytes; one file of ${LARGE_BYTES >> 20} MiB in blocks of 64 KiB`,
  );
  console.log(''.padEnd(width) + COLUMNS.map(([, title]) => title.padStart(12)).join(''));
  for (const [name, figures] of Object.entries(results)) {
    const cells = COLUMNS.map(([key, , digits]) => figures[key]?.toFixed(digits) ?? '-');
    console.log(name.padEnd(width) + cells.map((cell) => cell.padStart(12)).join(''));
  }
  for (const [name, goals] of Object.entries(GOALS)) {
    for (const [key, goal] of Object.entries(goals)) {
      const value = results[name]?.[key];
      if (value === undefined) continue;
      const verdict = SMOKE ? '-' : value >= goal ? 'ok' : 'miss';
      const title = COLUMNS.find(([column]) => column === key)[1];
      console.log(`figure | ${name}, ${title} | ${value.toFixed(0)} | ${goal} | ${verdict}`);
    }
  }
}

const measured = option('--measure');
if (measured === undefined) main();
else measure(measured);
