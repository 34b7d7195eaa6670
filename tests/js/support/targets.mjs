/**
 * One suite, several targets: a map in memory, a map file that is closed and reopened at the end,
 * and the real node:fs in a scratch directory as the reference.
 *
 * A test gets `fs`, its own empty directory `dir`, and `can`: what the target does as Linux does.
 */

import assert from 'node:assert/strict';
import * as nodeFs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Map, openMap } from 'aetherflow';

/** Everything in a tree that must survive closing and reopening. */
export function picture(fs, root) {
  const facts = {};
  const visit = (directory) => {
    for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
      const file = path.posix.join(directory, entry.name);
      const stats = fs.lstatSync(file, { bigint: true });
      const fact = [stats.ino, stats.mode, stats.nlink, stats.uid, stats.gid, stats.mtimeNs].map(
        String,
      );
      if (entry.isFile()) fact.push(fs.readFileSync(file).toString('base64'));
      if (entry.isSymbolicLink()) fact.push(fs.readlinkSync(file));
      facts[file] = fact;
      if (entry.isDirectory()) visit(file);
    }
  };
  visit(root);
  return facts;
}

const MAP_CAN = { real: false };

const targets = [
  {
    name: 'memory map',
    open() {
      const map = Map.create({ umask: 0o022 });
      return {
        fs: map.fs,
        map,
        root: '/',
        can: MAP_CAN,
        finish: () => map.close(),
      };
    },
  },
  {
    name: 'file map',
    open() {
      const home = nodeFs.mkdtempSync(path.join(tmpdir(), 'aetherflow-test-'));
      const file = path.join(home, 'map.rts.png');
      const map = openMap(file, { mode: 'wx', umask: 0o022 });
      const finish = () => {
        const expected = picture(map.fs, '/');
        map.close();
        assert.deepEqual(
          nodeFs.readdirSync(home),
          ['map.rts.png'],
          'no log and no lock stay behind',
        );
        const again = openMap(file, { mode: 'r' });
        assert.deepEqual(picture(again.fs, '/'), expected);
        assert.deepEqual(again.verify({ deep: true }).problems, []);
        again.close();
        nodeFs.rmSync(home, { recursive: true });
      };
      return { fs: map.fs, map, root: '/', can: MAP_CAN, finish };
    },
  },
  {
    name: 'node:fs',
    open() {
      const root = nodeFs.mkdtempSync(path.join(tmpdir(), 'aetherflow-reference-'));
      const umask = process.umask(0o022);
      const finish = () => {
        process.umask(umask);
        nodeFs.rmSync(root, { recursive: true });
      };
      return { fs: nodeFs, root, can: { real: true }, finish };
    },
  },
];

/** Defines a group of tests once per target. `define` gets a function like `test`. */
export function onEveryTarget(name, define) {
  for (const target of targets) {
    describe(`${name}, ${target.name}`, () => {
      let opened;
      let count = 0;
      before(() => {
        opened = target.open();
      });
      after(() => {
        opened.finish();
      });
      define((title, run, options = {}) => {
        test(title, options, () => {
          count += 1;
          const dir = path.posix.join(opened.root, `t${count}`);
          opened.fs.mkdirSync(dir);
          return run({
            ...opened,
            dir,
            p: (...parts) => path.posix.join(dir, ...parts),
          });
        });
      });
    });
  }
}

/** Asserts that `action` throws an error with these fields. */
export function throwsCode(action, code, syscall) {
  assert.throws(action, (error) => {
    assert.ok(error instanceof Error);
    assert.equal(error.code, code, error.message);
    if (syscall !== undefined) assert.equal(error.syscall, syscall, error.message);
    if (/^E[A-Z0-9]+$/.test(code)) {
      assert.ok(error.errno < 0, 'errno is negative');
      assert.ok(error.message.startsWith(`${code}: `), error.message);
    }
    return true;
  });
}

/** Asserts that a promise rejects with this code. */
export async function rejectsCode(promise, code) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.code, code, error.message);
    return true;
  });
}

/** Bytes that depend on their place, the same in every run. */
export function pattern(length, seed = 1) {
  const bytes = Buffer.alloc(length);
  let state = seed >>> 0 || 1;
  for (let index = 0; index < length; index += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}
