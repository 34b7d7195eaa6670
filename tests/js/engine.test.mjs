// Calls of the raw class that the library does not wrap: they are for those who show a map.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { Map } from '../../pkg/node.js';

const DIRECTORY = 4;
const FILE = 8;

/** A raw map, with names and bytes brought across its border. */
function made(options = {}) {
  const map = Map.create({ width: 256, ...options });
  const scratch = () => new Uint8Array(map.memory.buffer, map.scratch, map.scratchLength);
  const put = (bytes) => {
    scratch().set(bytes);
    return bytes.length;
  };
  const name = (text) => put(typeof text === 'string' ? new TextEncoder().encode(text) : text);
  return {
    map,
    directory: (parent, text) => map.mkdir(parent, name(text), 0o755, 0, 0),
    file(parent, text, content = new Uint8Array()) {
      const ino = map.createFile(parent, name(text), 0o644, 0, 0);
      map.write(ino, 0, put(content));
      return ino;
    },
    read(ino, length) {
      const count = map.read(ino, 0, length);
      return scratch().slice(0, count);
    },
  };
}

function noise(length) {
  let state = 7;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

describe('find', () => {
  it('gives the best names first, with what they are', () => {
    const { map, directory, file } = made({ now: () => 1_700_000_000_123.5 });
    const docs = directory(map.root, 'Docs');
    const found = file(docs, 'my docs.txt', noise(5000));
    file(map.root, 'docs.md');
    const { entries, truncated } = map.find(map.root, 'DOCS', 10);
    assert.equal(truncated, false);
    assert.deepEqual(
      entries.map(({ path, type }) => [path, type]),
      [
        ['/Docs', DIRECTORY],
        ['/docs.md', FILE],
        ['/Docs/my docs.txt', FILE],
      ],
    );
    assert.deepEqual(entries[2], {
      path: '/Docs/my docs.txt',
      ino: found,
      type: FILE,
      size: 5000,
      mtimeMs: 1_700_000_000_123.5,
    });
    assert.deepEqual(map.find(docs, 'docs', 10).entries.length, 1);
    assert.equal(map.find(map.root, 'docs', 1).truncated, true);
    assert.deepEqual(map.find(map.root, 'docs', 0), { entries: [], truncated: true });
    assert.deepEqual(map.find(map.root, 'none', Infinity), { entries: [], truncated: false });
    map.snapshotCreate('before');
    const view = map.snapshotOpen('before');
    file(map.root, 'docs too');
    assert.equal(view.find(view.root, 'docs', 10).entries.length, 3);
    assert.throws(() => map.find(found, 'a', 1), { code: 'ENOTDIR' });
    assert.throws(() => map.find(-1, 'a', 1), { code: 'ERANGE' });
  });

  it('gives the bytes of a path that is no UTF-8', () => {
    const { map, file } = made();
    file(map.root, Uint8Array.of(0x61, 0xff, 0x62));
    const [entry] = map.find(map.root, 'b', 5).entries;
    assert.equal(entry.path, '/a\ufffdb');
    assert.deepEqual(entry.bytes, Uint8Array.of(0x2f, 0x61, 0xff, 0x62));
  });

  it('looks through 100,000 names in the blink of an eye', () => {
    const { map, directory, file } = made();
    for (let folder = 0; folder < 100; folder += 1) {
      const parent = directory(map.root, `folder ${folder}`);
      for (let index = 0; index < 1000; index += 1) file(parent, `photograph-${index}.jpeg`);
    }
    map.checkpoint();
    let best = Infinity;
    for (let round = 0; round < 3; round += 1) {
      map.dropCaches();
      const started = performance.now();
      const { entries, truncated } = map.find(map.root, 'H-99', 200);
      best = Math.min(best, performance.now() - started);
      assert.equal(entries.length, 200);
      assert.equal(truncated, true);
    }
    // Some tenths of a second on a slow machine; far more would be another order of work.
    assert.ok(best < 2000, `${best} ms`);
    if (process.env.AETHERFLOW_TIMES !== undefined) console.log(`find: ${best.toFixed(0)} ms`);
  });
});

describe('damage', () => {
  it('is found by the next read and by a check, with clusters and paths', () => {
    const { map, file, read } = made({ compression: 'off' });
    const content = noise(50_000);
    const ino = file(map.root, 'file', content);
    file(map.root, 'other', noise(3000));
    map.checkpoint();
    assert.deepEqual(read(ino, 60_000), content);
    const [extent] = map.extents(ino, 0, 1);
    const hit = map.damage(Float64Array.of(extent.planeX, extent.planeY), 4);
    assert.deepEqual(hit, { pixels: 52, clusters: Float64Array.of(extent.cluster) });
    assert.throws(() => map.read(ino, 0, 4096), { code: 'EIO', reason: 'corrupt' });
    const report = map.verify({});
    const [problem] = report.problems.filter(({ kind }) => kind === 'data-checksum');
    assert.deepEqual([problem.path, problem.cluster], ['/file', extent.cluster]);
    // The picture's own checksums are wrong as well, and nothing else.
    assert.deepEqual([...new Set(report.problems.map(({ kind }) => kind))].sort(), [
      'adler',
      'band-checksum',
      'data-checksum',
    ]);
    assert.deepEqual(map.damage(new Float64Array(), 4), {
      pixels: 0,
      clusters: new Float64Array(),
    });
    assert.throws(() => map.damage(Float64Array.of(1), 4), { code: 'EINVAL' });
  });

  it('is refused where nothing may be written', () => {
    const { map } = made();
    map.snapshotCreate('before');
    const view = map.snapshotOpen('before');
    const point = Float64Array.of(0, 0);
    assert.throws(() => view.damage(point, 4), { code: 'EROFS' });
    const closed = Map.open(map.toPng(), { readOnly: true });
    assert.throws(() => closed.damage(point, 4), { code: 'EROFS' });
    assert.equal(closed.verify({}).ok, true);
  });
});

describe('dropCaches', () => {
  it('empties the caches and changes nothing', () => {
    const { map, file, read } = made({ compression: 'all' });
    const content = new Uint8Array(300_000).map((_, index) => (index >> 5) % 251);
    const ino = file(map.root, 'file', content);
    map.checkpoint();
    assert.deepEqual(read(ino, 300_000), content);
    assert.ok(map.stats().cache.bytes > 0);
    map.dropCaches();
    assert.equal(map.stats().cache.bytes, 0);
    assert.deepEqual(read(ino, 300_000), content);
  });
});
