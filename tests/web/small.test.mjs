// A small window: everything has its place, nothing is cut off.
import assert from 'node:assert/strict';

import { Explorer } from './support/explorer.mjs';
import { visit } from './support/visit.mjs';

const SMALL = { width: 390, height: 844 };

/** Fails when something makes the page wider than the window. */
async function assertFits(page, what) {
  const { scroll, inner } = await page.evaluate(() => ({
    scroll: document.documentElement.scrollWidth,
    inner: innerWidth,
  }));
  assert.ok(scroll <= inner, `${what}: ${scroll} px wide in a window of ${inner}`);
}

visit('the start page fits a small window', { viewport: SMALL }, async ({ page }) => {
  const explorer = new Explorer(page);
  await explorer.ready();
  await assertFits(page, 'start page');
  await page.setViewportSize({ width: 320, height: 568 });
  await assertFits(page, 'start page, very small');
});

visit(
  'a map in a small window: plane, files, details, time line',
  { viewport: SMALL },
  async ({ page }) => {
    const explorer = new Explorer(page);
    await explorer.ready();
    await explorer.button('Look at an example').click();
    await explorer.opened('example.rts.png');
    await explorer.painted();
    await assertFits(page, 'plane');
    const panels = page.getByRole('navigation', { name: 'Panels' });
    await explorer.button('Files', panels).click();
    await explorer.tree.getByText('WELCOME.md').click();
    await explorer.button('Details', panels).click();
    await explorer.details.getByText('WELCOME.md').first().waitFor();
    await assertFits(page, 'details');
    await explorer.button('Time', panels).click();
    await explorer.time.waitFor();
    await assertFits(page, 'time line');
    await explorer.button('Plane', panels).click();
    await explorer.painted();
  },
);
