// A hundred thousand files, and a folder larger than what a page may hold in memory.
import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';

import { drop } from './support/browser.mjs';
import { Explorer } from './support/explorer.mjs';
import { manyFiles } from './support/maps.mjs';
import {
  framesInWords,
  megabytes,
  timeMoving,
  timeOpening,
  timeTable,
  watchMemory,
} from './support/measure.mjs';
import { temporary, visit } from './support/visit.mjs';

/** Milliseconds until the first tiles are asked to be there on any machine; the goal is 1000. */
const OPEN_WITHIN = 5000;
/** Bytes a page and its workers may hold while a large folder comes in. */
const MEMORY = 400e6;

visit(
  'a map with 100,000 files opens fast and moves smoothly',
  { reducedMotion: 'no-preference', timeout: 180_000 },
  async ({ page, t }) => {
    const explorer = new Explorer(page);
    const file = path.join(manyFiles(), 'many.rts.png');
    await explorer.ready();
    const { first, full } = await timeOpening(page, file);
    await explorer.opened('many.rts.png');
    const whole = full + (await timeTable(page, explorer));
    t.diagnostic(
      `100,000 files: first tiles after ${first.toFixed(0)} ms (goal 1000), all in sight after ${full.toFixed(0)} ms, the whole table read and counted after ${whole.toFixed(0)} ms`,
    );
    assert.ok(first < OPEN_WITHIN, `opened in ${first.toFixed(0)} ms`);

    const { zooming, panning } = await timeMoving(page, explorer.plane);
    t.diagnostic(`zooming: ${framesInWords(zooming)}`);
    t.diagnostic(`panning: ${framesInWords(panning)}`);
    for (const { median } of [zooming, panning]) {
      assert.ok(median < 50, `the median frame took ${median.toFixed(1)} ms`);
    }
    await explorer.page.getByRole('combobox', { name: 'Search files' }).fill('house-77');
    await page.getByRole('option').first().waitFor();
  },
);

visit(
  'a folder larger than memory may be comes in by streaming',
  { timeout: 180_000 },
  async ({ page, t }) => {
    const explorer = new Explorer(page);
    const folder = path.join(temporary(), 'big');
    mkdirSync(folder);
    const block = Buffer.alloc(8 << 20);
    const size = 600e6;
    const file = openSync(path.join(folder, 'noise.bin'), 'w');
    for (let at = 0; at < size; at += block.length) writeSync(file, randomFillSync(block));
    closeSync(file);
    await explorer.ready();
    const stop = await watchMemory(page);
    const began = performance.now();
    await drop(page, folder);
    await explorer.said(/1 file, .*brought in/, { timeout: 150_000 });
    const seconds = (performance.now() - began) / 1000;
    const { heap, resident } = await stop();
    t.diagnostic(
      `${megabytes(size)} dropped: ${seconds.toFixed(1)} s, at most ${megabytes(heap)} of scripts, buffers and wasm, ${megabytes(resident)} resident in the process`,
    );
    assert.ok(heap < MEMORY, `${megabytes(heap)} in memory`);
  },
);
