/**
 * The explorer with a map of a million clusters: how soon it is there, and how smoothly it moves.
 *
 * The map takes 5.5 GB in the temporary folder while this runs. AETHERFLOW_BENCH=smoke takes one of
 * 48 MB. Needs Chromium, as the tests in tests/web do; without a graphics card frames are painted by
 * the processor.
 */
import { randomFillSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { openMap } from 'aetherflow';

import { arrive, launch, watch } from '../tests/web/support/browser.mjs';
import { Explorer } from '../tests/web/support/explorer.mjs';
import { timeMoving, timeOpening, timeTable } from '../tests/web/support/measure.mjs';
import { PAGE, serve } from '../tests/web/support/server.mjs';

const SMOKE = process.env.AETHERFLOW_BENCH === 'smoke';
/** Bytes in files: a million clusters, with the table and what surrounds them. */
const BYTES = SMOKE ? 48e6 : 4.2e9;
const FOLDERS = 40;

/** `goal` is the most it may be. */
function figure(what, milliseconds, goal) {
  const verdict = goal === undefined ? '-' : milliseconds <= goal ? 'ok' : 'miss';
  const asked = goal === undefined ? '-' : `<= ${goal} ms`;
  console.log(`figure | ${what} | ${milliseconds.toFixed(1)} ms | ${asked} | ${verdict}`);
}

/** Files of 100 KB to 4 MB that cannot be compressed. */
function fill(file) {
  const map = openMap(file, { mode: 'w+', compression: 'off', width: 1024, parity: false });
  const noise = randomFillSync(Buffer.alloc(4 << 20));
  for (let number = 0, written = 0; written < BYTES; number += 1) {
    const folder = `/folder-${number % FOLDERS}`;
    if (number < FOLDERS) map.mkdir(folder);
    const length = 100_000 + ((number * 7919) % 4_000_000);
    map.writeFile(`${folder}/file-${number}`, noise.subarray(0, length));
    written += length;
  }
  const { clusters, clustersUsed } = map.info();
  map.close();
  console.log(`a map of ${clusters} clusters, ${clustersUsed} in use`);
}

const folder = mkdtempSync(path.join(os.tmpdir(), 'aetherflow-explorer-'));
const file = path.join(folder, 'million.rts.png');
fill(file);
const server = await serve({ '/': PAGE });
const browser = await launch({ viewport: { width: 1440, height: 900 } });
try {
  const page = await browser.context.newPage();
  const errors = watch(page);
  await arrive(page, server.origin);
  const explorer = new Explorer(page);
  await explorer.ready();
  const { first, full } = await timeOpening(page, file);
  figure('first tiles after choosing the file', first, 1000);
  figure('all tiles in sight', full);
  figure('the whole table read and counted', full + (await timeTable(page, explorer)));
  const { zooming, panning } = await timeMoving(page, explorer.plane);
  figure('zooming, median frame', zooming.median, 17);
  figure('zooming, 95 % of frames', zooming.p95);
  figure('panning, median frame', panning.median, 17);
  figure('panning, 95 % of frames', panning.p95);
  for (const error of errors) console.error(error);
} finally {
  await browser.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
