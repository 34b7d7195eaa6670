// Scratching the picture for real, and what the checksums say to it.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { Explorer } from './support/explorer.mjs';
import { temporary, visit } from './support/visit.mjs';
import { content, random } from '../cli/support.mjs';

visit(
  'a scratch over a file: verify names it, the plane lights up, reading it fails in words',
  {},
  async ({ page }) => {
    const explorer = new Explorer(page);
    const folder = path.join(temporary(), 'wall');
    mkdirSync(folder);
    // One large patch, so that a stroke through the middle hits it.
    writeFileSync(path.join(folder, 'stone.bin'), content(random(2), 3_000_000, 'noise'));
    writeFileSync(path.join(folder, 'note.txt'), 'still here\n');
    await explorer.dropFolder(folder, 2);
    await explorer.opened('wall');
    assert.match(await explorer.verify(), /whole/);
    await page.getByRole('tab', { name: /^Files/ }).click();
    await explorer.choose('/stone.bin');
    await explorer.painted(2);

    await explorer.button('Scratch the picture').click();
    const box = await explorer.plane.boundingBox();
    const { x, y } = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    await page.mouse.move(x - 90, y - 60);
    await page.mouse.down();
    for (let step = 0; step <= 12; step += 1) {
      await page.mouse.move(x - 90 + step * 15, y - 60 + step * 10);
    }
    await page.mouse.up();
    const bar = page.getByRole('region', { name: 'Scratch the picture' });
    await bar.getByText(/Scratched so far/).waitFor();
    await explorer.button('Done', bar).click();

    const verdict = await explorer.verify();
    assert.match(verdict, /problem/);
    const findings = page.getByRole('complementary', { name: 'Files' });
    await findings.getByText('/stone.bin').first().waitFor();
    // The overlay of damaged places has tiles with something on them.
    await page.waitForFunction(() => {
      for (const tile of document.querySelectorAll('.plane-damagePane canvas')) {
        const copy = new OffscreenCanvas(tile.width, tile.height);
        const context = copy.getContext('2d');
        context.drawImage(tile, 0, 0);
        const { data } = context.getImageData(0, 0, tile.width, tile.height);
        if (data.some((value, at) => at % 4 === 3 && value > 0)) return true;
      }
      return false;
    });
    await findings.getByText('/stone.bin').first().click();
    await explorer.details
      .getByText(/damaged/i)
      .first()
      .waitFor();

    // The rest is as it was.
    await page.getByRole('tab', { name: /^Files/ }).click();
    await explorer.choose('/note.txt');
    await explorer.reads('still here');
  },
);
