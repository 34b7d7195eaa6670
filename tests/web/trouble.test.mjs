// What goes wrong is said in words, and the page goes on.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { Explorer } from './support/explorer.mjs';
import { makeMaps } from './support/maps.mjs';
import { serve } from './support/server.mjs';
import { temporary, visit } from './support/visit.mjs';

const folder = temporary();
const { live } = makeMaps(folder);
const at = (name) => path.join(folder, name);

/** The page says it in an alert, and opens the example afterwards. */
async function saysAndGoesOn(explorer, words) {
  await explorer.page.getByRole('alert').filter({ hasText: words }).first().waitFor();
  await explorer.button('Look at an example').click();
  await explorer.opened('example.rts.png');
  await explorer.painted();
}

visit('a text file that is called a picture', {}, async ({ page }) => {
  const explorer = new Explorer(page);
  writeFileSync(at('text.png'), 'no picture at all\n');
  await explorer.openFile(at('text.png'));
  await saysAndGoesOn(explorer, /not a map/i);
});

visit('a picture that is no map', {}, async ({ page }) => {
  const explorer = new Explorer(page);
  await explorer.openFile(new URL('../../docs/images/map.png', import.meta.url).pathname);
  await saysAndGoesOn(explorer, /not a map|no map|resized/i);
});

visit('an empty file', {}, async ({ page }) => {
  const explorer = new Explorer(page);
  writeFileSync(at('empty.png'), '');
  await explorer.openFile(at('empty.png'));
  await saysAndGoesOn(explorer, /empty/i);
});

visit('a map that was cut off', {}, async ({ page }) => {
  const explorer = new Explorer(page);
  const whole = readFileSync(live);
  writeFileSync(at('cut.rts.png'), whole.subarray(0, Math.floor(whole.length * 0.4)));
  await explorer.openFile(at('cut.rts.png'));
  await saysAndGoesOn(explorer, /too early|cut off|truncated/i);
});

visit('a map whose beginning is overwritten', {}, async ({ page }) => {
  const explorer = new Explorer(page);
  const bytes = readFileSync(live);
  bytes.fill(0xa5, 60, 90_000);
  writeFileSync(at('broken.rts.png'), bytes);
  await explorer.openFile(at('broken.rts.png'));
  await page.getByRole('alert').first().waitFor();
  await explorer.button('Look at an example').click();
  await explorer.opened('example.rts.png');
});

visit('a map with damage opens, and the damaged file is named', {}, async ({ page }) => {
  const explorer = new Explorer(page);
  // A stretch well inside, where file data lies: the rest of the map has to stay in reach.
  const bytes = readFileSync(live);
  const marked = bytes.indexOf(
    readFileSync(path.join(folder, 'harbour/data/noise.bin')).subarray(4096, 4128),
  );
  assert.ok(marked > 0, 'the bytes of the file are found in the picture');
  bytes[marked] ^= 0xff;
  writeFileSync(at('damaged.rts.png'), bytes);
  await explorer.openFile(at('damaged.rts.png'));
  await explorer.opened('damaged.rts.png');
  await explorer.choose('/data/noise.bin');
  await explorer.details
    .getByText(/damaged|checksum/i)
    .first()
    .waitFor();
  await explorer.choose('/README.md');
  await explorer.reads('to be walked through');
});

visit('an address where nothing is', { allow: [/404/] }, async ({ page, server }) => {
  const explorer = new Explorer(page);
  await explorer.openUrl(`${server.origin}/maps/nowhere.rts.png`);
  await saysAndGoesOn(explorer, /404|not there|nothing|no such/i);
});

visit('a server that does not answer', { allow: [/ERR_/, /Failed to load/] }, async ({ page }) => {
  const explorer = new Explorer(page);
  const gone = await serve({ '/': folder });
  await gone.stop();
  await explorer.openUrl(`${gone.origin}/harbour.rts.png`);
  await saysAndGoesOn(explorer, /reach|answer/i);
});

visit(
  'a server that knows no ranges',
  { folders: { '/maps/': folder }, server: { ranges: false } },
  async ({ page, server }) => {
    const explorer = new Explorer(page);
    await explorer.openUrl(`${server.origin}/maps/harbour.rts.png`);
    // Said, or read whole where it is small: never a blank page.
    const alert = page.getByRole('alert').filter({ hasText: /range/i });
    const opened = page.getByRole('heading', { level: 1, name: 'harbour.rts.png' });
    await alert.or(opened).first().waitFor();
  },
);
