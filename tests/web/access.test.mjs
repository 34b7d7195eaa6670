// axe-core finds nothing serious or critical, in both themes.
import assert from 'node:assert/strict';

import { assertAccessible } from './support/axe.mjs';
import { Explorer } from './support/explorer.mjs';
import { visit } from './support/visit.mjs';

for (const colorScheme of ['dark', 'light']) {
  visit(`start page and its dialogs, ${colorScheme}`, { colorScheme }, async ({ page }) => {
    const explorer = new Explorer(page);
    await explorer.ready();
    await assertAccessible(page, 'start page');
    await explorer.button('Open from a URL').click();
    await explorer.dialog.waitFor();
    await explorer.dialog.getByRole('button', { name: 'Open', exact: true }).click();
    await explorer.dialog.getByText('An address is needed.').waitFor();
    await assertAccessible(page, 'dialog with an error');
    await page.keyboard.press('Escape');
    await explorer.button('Theme').click();
    await page.getByRole('menu').waitFor();
    await assertAccessible(page, 'menu');
  });

  visit(`an open map and its dialogs, ${colorScheme}`, { colorScheme }, async ({ page }) => {
    const explorer = new Explorer(page);
    await explorer.ready();
    await explorer.button('Look at an example').click();
    await explorer.opened('example.rts.png');
    await explorer.painted();
    await assertAccessible(page, 'open map');
    await explorer.choose('/WELCOME.md');
    await explorer.reads('Welcome');
    await assertAccessible(page, 'text chosen');
    await explorer.choose('/pictures/map.png');
    await explorer.details.getByRole('img', { name: /map\.png/ }).waitFor();
    await explorer.details.getByRole('tab', { name: 'Hex' }).click();
    await assertAccessible(page, 'bytes shown');
    await explorer.verify();
    await assertAccessible(page, 'verified');
    for (const layer of ['Heat', 'Kinds', 'Raw']) {
      await explorer.chooseLayer(layer);
      await assertAccessible(page, `layer ${layer}`);
    }
    await explorer.button('Compare', explorer.time).click();
    await explorer.dialog.waitFor();
    await assertAccessible(page, 'comparing');
    await explorer.dialog.getByRole('button', { name: 'Compare' }).click();
    await explorer.dialog.waitFor({ state: 'hidden' });
    await page.getByRole('tab', { name: /^Changes/ }).waitFor();
    await assertAccessible(page, 'changes');
    await page.keyboard.press('?');
    await explorer.dialog.waitFor();
    await assertAccessible(page, 'keys');
    await page.keyboard.press('Escape');
  });
}

visit(
  'a small window with a panel open',
  { viewport: { width: 390, height: 844 } },
  async ({ page }) => {
    const explorer = new Explorer(page);
    await explorer.ready();
    await assertAccessible(page, 'small start page');
    await explorer.button('Look at an example').click();
    await explorer.opened('example.rts.png');
    await assertAccessible(page, 'small window');
    await explorer.button('Files', page.getByRole('navigation', { name: 'Panels' })).click();
    await explorer.tree.waitFor();
    await assertAccessible(page, 'small window, files');
  },
);

visit('the test itself: what is wrong is found', {}, async ({ page }) => {
  await page.evaluate(() =>
    document.querySelector('main').append(document.createElement('button')),
  );
  await assert.rejects(assertAccessible(page, 'a button without a name'), /button-name/);
});
