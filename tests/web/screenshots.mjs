// Takes the pictures of the explorer in docs/images: what a visitor sees, of the example map.
//
// node tests/web/screenshots.mjs [NAME...]
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { arrive, launch, watch } from './support/browser.mjs';
import { Explorer } from './support/explorer.mjs';
import { PAGE, serve } from './support/server.mjs';
import { smaller } from './support/picture.mjs';

const IMAGES = fileURLToPath(new URL('../../docs/images', import.meta.url));
const WINDOW = { width: 1280, height: 800 };

/** Opens the example with what a link says. */
async function example(page, server, hash = '') {
  const url = encodeURIComponent(`${server.origin}/example.rts.png`);
  await page.goto(`${server.origin}/#url=${url}${hash}`);
  const explorer = new Explorer(page);
  await explorer.opened('example.rts.png');
  await explorer.painted(2);
  return explorer;
}

/** Waits until tiles and panels have come to rest. */
async function settle(page) {
  await page.waitForLoadState('networkidle');
  await page.waitForFunction(
    () => !document.querySelector('canvas.plane-tile:not(.leaflet-tile-loaded)'),
  );
  await page.waitForTimeout(1500);
}

const PICTURES = {
  async start({ page, server }) {
    await arrive(page, server.origin);
    await new Explorer(page).ready();
  },
  async files({ page, server }) {
    const explorer = await example(page, server, '&select=/docs/CLI.md');
    await explorer.reads('command line');
  },
  async zones({ page, server }) {
    await example(page, server, '&layer=zones');
  },
  async heat({ page, server }) {
    const explorer = await example(page, server, '&layer=heat');
    for (const path of ['/WELCOME.md', '/README.md', '/docs/FORMAT.md', '/pictures/map.png']) {
      await explorer.choose(path);
      await page.waitForTimeout(400);
    }
    await explorer.button('Show the whole plane').click();
  },
  async raw({ page, server }) {
    const explorer = await example(page, server, '&select=/pictures/map.png');
    await explorer.button('Fly there', explorer.details).click();
    await settle(page);
    await explorer.plane.focus();
    for (const key of ['+', '+', '+', '+', '+', '+', '+', '6']) {
      await page.keyboard.press(key);
      await page.waitForTimeout(300);
    }
    await page.evaluate(() => document.activeElement.blur());
  },
  async details({ page, server }) {
    const explorer = await example(page, server, '&select=/pictures/map.png');
    await explorer.details.getByRole('img', { name: /map\.png/ }).waitFor();
    await explorer.button('Fly there', explorer.details).click();
  },
  async compare({ page, server }) {
    const explorer = await example(page, server);
    await explorer.button('Compare', explorer.time).click();
    await explorer.dialog.getByLabel('Before').selectOption('engine');
    await explorer.dialog.getByRole('button', { name: 'Compare' }).click();
    await page.getByRole('tab', { name: /^Changes/ }).waitFor();
  },
  async scratch({ page, server }) {
    const explorer = await example(page, server);
    await explorer.button('Edit a copy').click();
    await explorer.answer('Name of the copy', 'scratched', 'Copy and open');
    await explorer.opened(/scratched/);
    await explorer.painted();
    await settle(page);
    await explorer.button('Scratch').first().click();
    const box = await explorer.plane.boundingBox();
    const camera = await explorer.camera();
    const scale = 2 ** camera.zoom;
    // Along the middle of a row of sheets: their corners hold the table, and that would be no scratch.
    const move = (x, y) =>
      page.mouse.move(
        box.x + box.width / 2 + (x - camera.x) * scale,
        box.y + box.height / 2 + (y - camera.y) * scale,
      );
    await move(-320, -256);
    await page.mouse.down();
    for (let step = 0; step <= 24; step += 1) {
      await move(-320 + step * 20, -256 + Math.sin(step / 3) * 45);
    }
    await page.mouse.up();
    await explorer.verify();
  },
  async small({ page, server }) {
    await page.setViewportSize({ width: 390, height: 844 });
    await example(page, server, '&select=/WELCOME.md');
  },
};
/** Those that are shown in the light theme. */
const LIGHT = new Set(['zones', 'details', 'compare']);

const wanted = process.argv.slice(2);
mkdirSync(IMAGES, { recursive: true });
const server = await serve({ '/': PAGE });
const browser = await launch({ viewport: WINDOW });
let sum = 0;
for (const [name, stage] of Object.entries(PICTURES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const page = await browser.context.newPage();
  const errors = watch(page);
  try {
    await page.setViewportSize(WINDOW);
    await page.emulateMedia({
      colorScheme: LIGHT.has(name) ? 'light' : 'dark',
      reducedMotion: 'reduce',
    });
    await stage({ page, server });
    await settle(page);
    const file = path.join(IMAGES, `explorer-${name}.png`);
    writeFileSync(file, await smaller(await page.screenshot()));
    sum += statSync(file).size;
    console.log(`    ${file}: ${statSync(file).size} bytes`);
    for (const error of errors) console.error(`    ${error}`);
  } finally {
    await page.close();
  }
}
console.log(`    ${sum} bytes in all`);
await browser.close();
await server.stop();
