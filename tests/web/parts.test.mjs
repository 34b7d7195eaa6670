// Parts of the worker that are pure: names without loss, and what is fetched of a remote file.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

import { build } from 'vite';

/** A module of the worker, as JavaScript. */
async function load(name) {
  const entry = fileURLToPath(new URL(`../../web-demo/src/worker/${name}`, import.meta.url));
  const [{ output }] = await build({
    configFile: false,
    logLevel: 'silent',
    build: {
      write: false,
      minify: false,
      target: 'node20',
      lib: { entry, formats: ['es'] },
    },
  });
  const code = Buffer.from(output[0].code).toString('base64');
  return import(`data:text/javascript;base64,${code}`);
}

test('names keep every byte', async () => {
  const { decodeName, encodeName, plainText } = await load('names.ts');
  const bytes = (...list) => Uint8Array.from(list);
  for (const text of ['', 'plain', 'Größe', '日本', '😀 smile', '\ufeffmark']) {
    const encoded = new TextEncoder().encode(text);
    assert.equal(decodeName(encoded), text);
    assert.deepEqual(encodeName(text), encoded);
  }
  assert.equal(decodeName(bytes(0x61, 0xff, 0x62)), 'a\udcffb');
  assert.equal(plainText('a\udcffb'), 'a\ufffdb');
  const odd = [
    bytes(0x80),
    bytes(0xc3),
    bytes(0xc3, 0xa4, 0xc3),
    bytes(0xf0, 0x9f, 0x98),
    bytes(0xf0, 0x9f, 0x98, 0x80, 0x80),
    bytes(0xed, 0xa0, 0x80),
    bytes(0xc0, 0xaf),
    bytes(0xe2, 0x82, 0xff, 0xe2, 0x82, 0xac),
  ];
  for (let seed = 1, index = 0; index < 500; index += 1) {
    const random = new Uint8Array(index % 12);
    for (let at = 0; at < random.length; at += 1) {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      random[at] = seed >>> 24;
    }
    odd.push(random);
  }
  for (const name of odd) assert.deepEqual(encodeName(decodeName(name)), name);
});

test('missing runs are whole blocks, merged, and end with the file', async () => {
  const { BLOCK, BlockCache, missingRuns } = await load('storage/blocks.ts');
  const cache = new BlockCache(4 * BLOCK);
  const size = 10 * BLOCK + 5;
  const runs = (...ranges) => missingRuns(ranges, cache, size);
  assert.deepEqual(runs({ from: 1, to: 2 }), [{ from: 0, to: BLOCK }]);
  assert.deepEqual(runs({ from: BLOCK - 1, to: BLOCK + 1 }), [{ from: 0, to: 2 * BLOCK }]);
  assert.deepEqual(runs({ from: 9 * BLOCK, to: size }), [{ from: 9 * BLOCK, to: size }]);
  assert.deepEqual(
    runs({ from: 4 * BLOCK, to: 5 * BLOCK }, { from: 0, to: 1 }, { from: BLOCK, to: BLOCK + 1 }),
    [
      { from: 0, to: 2 * BLOCK },
      { from: 4 * BLOCK, to: 5 * BLOCK },
    ],
  );
  cache.putRun(BLOCK, new Uint8Array(BLOCK));
  assert.deepEqual(runs({ from: 0, to: 3 * BLOCK }), [
    { from: 0, to: BLOCK },
    { from: 2 * BLOCK, to: 3 * BLOCK },
  ]);
  const except = (block) => block === 2;
  assert.deepEqual(missingRuns([{ from: 0, to: 3 * BLOCK }], cache, size, except), [
    { from: 0, to: BLOCK },
  ]);
});

test('the cache is bounded and keeps what was used last', async () => {
  const { BLOCK, BlockCache } = await load('storage/blocks.ts');
  const cache = new BlockCache(3 * BLOCK);
  for (const block of [0, 1, 2]) cache.put(block, Uint8Array.of(block));
  assert.deepEqual(cache.get(0), Uint8Array.of(0));
  cache.put(3, Uint8Array.of(3));
  assert.equal(cache.has(1), false);
  assert.deepEqual(
    [0, 2, 3].map((block) => cache.has(block)),
    [true, true, true],
  );
  // A run that is cut at the end of the file gives a short last block.
  cache.putRun(4 * BLOCK, new Uint8Array(BLOCK + 7));
  assert.equal(cache.get(5)?.length, 7);
});

test('reading ahead grows with a sequence and ends with it', async () => {
  const { BLOCK, ReadAhead } = await load('storage/blocks.ts');
  const ahead = new ReadAhead();
  const size = 64 << 20;
  let at = 0;
  let longest = 0;
  for (let step = 0; step < 12; step += 1) {
    const run = ahead.extend({ from: at, to: at + BLOCK }, size);
    assert.equal(run.from, at);
    longest = Math.max(longest, run.to - run.from);
    at = run.to;
  }
  assert.ok(longest > 8 * BLOCK && longest <= (1 << 20) + BLOCK, `${longest}`);
  const jump = ahead.extend({ from: 32 << 20, to: (32 << 20) + BLOCK }, size);
  assert.equal(jump.to - jump.from, BLOCK);
  const end = ahead.extend({ from: jump.to, to: size - 1 }, size);
  assert.equal(end.to, size);
});
