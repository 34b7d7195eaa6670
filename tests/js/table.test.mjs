import assert from 'node:assert/strict';
import * as nodeFs from 'node:fs';
import { test } from 'node:test';
import { Map } from 'aetherflow';

const page = nodeFs.readFileSync(new URL('../../docs/NODE.md', import.meta.url), 'utf8');
const rows = [...page.matchAll(/^\| (\w+) \| (yes|no) \| (yes|no|-) \| (yes|no|handle|-) \|$/gm)];
const { fs } = Map.create();
const streams = new Set(['createReadStream', 'createWriteStream']);

test('the table in docs/NODE.md says what is exported', async () => {
  assert.ok(rows.length > 40);
  const handle = await fs.promises.open('/a', 'w');
  const methods = { fdatasync: 'datasync', fsync: 'sync' };
  for (const [, name, sync, callback, promise] of rows) {
    const syncName = streams.has(name) ? name : `${name}Sync`;
    assert.equal(typeof fs[syncName] === 'function', sync === 'yes', syncName);
    if (!streams.has(name)) assert.equal(typeof fs[name] === 'function', callback === 'yes', name);
    assert.equal(typeof fs.promises[name] === 'function', promise === 'yes', `promises.${name}`);
    if (promise === 'handle') {
      const method = methods[name] ?? name.replace(/^f(?=stat|chmod|chown|truncate|utimes)/, '');
      const known = method in handle || method.replace(/^f/, '') in handle;
      assert.ok(known, `FileHandle.${method}`);
    }
  }
  await handle.close();
});

test('the table names every function of node:fs', () => {
  const listed = new Set(rows.map(([, name]) => name));
  const functions = Object.keys(nodeFs).filter(
    (name) => typeof nodeFs[name] === 'function' && /^[a-z]/.test(name),
  );
  // Later versions of Node may add calls; those of Node 20 are all there.
  const missing = functions
    .map((name) => name.replace(/Sync$/, ''))
    .filter((name) => !name.startsWith('_') && name !== 'toUnixTimestamp' && !listed.has(name));
  const added = new Set(['mkdtempDisposable']);
  assert.deepEqual(
    [...new Set(missing)].filter((name) => !added.has(name)),
    [],
  );
});

test('every exported function is in the table', () => {
  const listed = new Set(rows.map(([, name]) => name));
  for (const source of [fs, fs.promises]) {
    for (const name of Object.keys(source)) {
      if (typeof source[name] !== 'function' || !/^[a-z]/.test(name)) continue;
      assert.ok(listed.has(name.replace(/Sync$/, '')), name);
    }
  }
});
