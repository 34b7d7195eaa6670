// Maps for the explorer to open, made by the command line and the library.
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { openMap } from 'aetherflow';

import { content, ok, random } from '../../cli/support.mjs';
import { WEB } from './browser.mjs';
import { makeProject } from './trees.mjs';

/** A project's folder, the live and the packed map of it. */
export function makeMaps(folder) {
  const tree = path.join(folder, 'harbour');
  mkdirSync(tree);
  makeProject(tree);
  const live = path.join(folder, 'harbour.rts.png');
  const packed = path.join(folder, 'harbour-packed.rts.png');
  ok(['build', '--quiet', tree, live]);
  ok(['snapshot', 'create', live, 'first', '--note', 'as it came']);
  ok(['pack', '--quiet', live, packed]);
  return { tree, live, packed };
}

/**
 * A folder with `many.rts.png`: a hundred thousand files. It is made once for each engine, and kept
 * in the target folder.
 */
export function manyFiles() {
  const generator = readFileSync(fileURLToPath(import.meta.url));
  const engine = readFileSync(new URL('../../../pkg/aetherflow_bg.wasm', import.meta.url));
  const name = createHash('sha256').update(generator).update(engine).digest('hex').slice(0, 16);
  const home = path.join(WEB, 'many');
  const folder = path.join(home, name);
  if (existsSync(folder)) return folder;
  mkdirSync(home, { recursive: true });
  for (const old of readdirSync(home)) rmSync(path.join(home, old), { recursive: true });
  const making = mkdtempSync(path.join(home, 'making-'));
  const map = openMap(path.join(making, 'many.rts.png'), { mode: 'w+', width: 1024 });
  const next = random(5);
  const text = content(next, 1 << 20);
  const noise = content(next, 1 << 20, 'noise');
  for (let directory = 0; directory < 1000; directory += 1) {
    const at = `/region-${directory % 20}/town-${String(directory).padStart(4, '0')}`;
    map.fs.mkdirSync(at, { recursive: true });
    for (let index = 0; index < 100; index += 1) {
      const source = index % 4 === 0 ? noise : text;
      const length = index === 0 ? 200_000 + (next() % 200_000) : 100 + (next() % 8000);
      const start = next() % (source.length - length);
      map.fs.writeFileSync(`${at}/house-${index}.txt`, source.subarray(start, start + length));
    }
  }
  map.close();
  renameSync(making, folder);
  return folder;
}
