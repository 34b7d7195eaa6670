// Real folders for the explorer to take in, and what should be the same afterwards.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { content, random } from '../../cli/support.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** A small project: texts, a picture, bytes, an empty folder, names in several scripts. */
export function makeProject(folder) {
  const next = random(11);
  const write = (name, bytes) => {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), bytes);
  };
  write('README.md', '# Harbour\n\nA small project, to be walked through.\n');
  write('notes/monday.txt', 'The tide is at six.\n');
  write('notes/größe — 日本語 🦀.txt', 'names in several scripts\n');
  write('notes/long.txt', content(next, 300_000));
  write('data/noise.bin', content(next, 700_000, 'noise'));
  write('data/numbers.json', JSON.stringify(Array.from({ length: 4000 }, () => next())));
  write('data/empty', '');
  write('source/main.rs', readFileSync(path.join(root, 'src/lib.rs')));
  for (let index = 0; index < 60; index += 1) {
    write(`source/parts/part-${index}.ts`, content(next, 200 + (next() % 6000)));
  }
  mkdirSync(path.join(folder, 'pictures'), { recursive: true });
  cpSync(path.join(root, 'docs/images/map.png'), path.join(folder, 'pictures/map.png'));
  mkdirSync(path.join(folder, 'nothing here'));
  return folder;
}

/** Every file below a folder by its path inside; directories end with a slash. */
export function listing(folder) {
  return readdirSync(folder, { recursive: true })
    .map((name) => (statSync(path.join(folder, name)).isDirectory() ? `${name}/` : name))
    .sort();
}

/** Fails unless both folders hold the same names and bytes. */
export function assertSameBytes(expected, actual) {
  assert.deepEqual(listing(actual), listing(expected), 'the same names');
  for (const name of listing(expected).filter((one) => !one.endsWith('/'))) {
    const [left, right] = [expected, actual].map((folder) => readFileSync(path.join(folder, name)));
    assert.ok(left.equals(right), `the bytes of ${name}`);
  }
}
