// Without a mouse: everything by keys, seeing where the focus is by asking the page.
import assert from 'node:assert/strict';

import { download } from './support/browser.mjs';
import { Explorer } from './support/explorer.mjs';
import { temporary, visit } from './support/visit.mjs';
import { json, ok } from '../cli/support.mjs';

/** Presses Tab until something of this role and name has the focus. */
async function tabTo(page, role, name, most = 60) {
  const target = page.getByRole(role, { name }).first();
  const passed = [];
  for (let step = 0; step < most; step += 1) {
    if (await target.evaluate((element) => element === document.activeElement).catch(() => false)) {
      // Whoever tabs has to see where they are.
      const seen = await target.evaluate((element) => {
        const style = getComputedStyle(element);
        const shown = (one) => one.outlineStyle !== 'none' || one.boxShadow !== 'none';
        return (
          shown(style) || (element.parentElement && shown(getComputedStyle(element.parentElement)))
        );
      });
      assert.ok(seen, `the focus on ${name} is seen`);
      return;
    }
    await page.keyboard.press('Tab');
    passed.push(
      await page.evaluate(
        () =>
          document.activeElement?.getAttribute('aria-label') ??
          document.activeElement?.textContent?.slice(0, 30),
      ),
    );
  }
  assert.fail(`no Tab leads to ${role} ${name}: ${passed.join(' | ')}`);
}

visit(
  'open, walk, choose, edit, save, keep a moment, verify, download',
  {},
  async ({ page, t }) => {
    const explorer = new Explorer(page);
    // Whatever moves the mouse spoils the test.
    page.mouse.click = page.mouse.move = () => assert.fail('this visitor has no mouse');
    await explorer.ready();
    await tabTo(page, 'button', 'New empty map');
    await page.keyboard.press('Enter');
    await explorer.dialog.waitFor();
    await page.keyboard.type('by hand');
    await page.keyboard.press('Enter');
    await explorer.opened(/by hand/);

    // A folder and a text in it, from the menu.
    await tabTo(page, 'button', 'Add');
    await page.keyboard.press('Enter');
    await page.getByRole('menuitem', { name: 'New folder' }).waitFor();
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    await explorer.dialog.waitFor();
    await page.keyboard.type('letters');
    await page.keyboard.press('Enter');
    await explorer.tree.getByText('letters').waitFor();
    await tabTo(page, 'button', 'Add');
    await page.keyboard.press('Enter');
    await page.getByRole('menuitem', { name: 'New text file' }).waitFor();
    await page.keyboard.press('End');
    await page.keyboard.press('Enter');
    await explorer.dialog.waitFor();
    await page.keyboard.type('first.txt');
    await page.keyboard.press('Enter');
    await explorer.dialog.waitFor({ state: 'hidden' });

    // Through the tree to the text, and into it.
    await page.evaluate(() => document.activeElement?.blur());
    await page.keyboard.press('t');
    await page.keyboard.press('Home');
    for (let step = 0; step < 6; step += 1) {
      const here = await page.evaluate(() => document.activeElement?.textContent ?? '');
      if (here.includes('first.txt')) break;
      if (here.includes('letters')) await page.keyboard.press('ArrowRight');
      await page.keyboard.press('ArrowDown');
      await page.evaluate(() => new Promise(requestAnimationFrame));
    }
    await page.keyboard.press('Enter');
    await explorer.text().waitFor();
    await tabTo(page, 'textbox', /^Text of/);
    await page.keyboard.type('Dear reader');
    await page.keyboard.press('Control+s');
    await explorer.said('Saved');

    // A moment is kept.
    await tabTo(page, 'button', 'Snapshot');
    await page.keyboard.press('Enter');
    await explorer.dialog.waitFor();
    await page.keyboard.type('today');
    await page.keyboard.press('Enter');
    await explorer.said('Snapshot today is kept.');

    // The plane by keys: moved, zoomed, something chosen.
    await page.evaluate(() => document.activeElement?.blur());
    await page.keyboard.press('p');
    const before = await explorer.camera();
    await page.keyboard.press('+');
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction((hash) => location.hash !== hash, new URL(page.url()).hash);
    t.diagnostic(`from zoom ${before.zoom} to ${(await explorer.camera()).zoom}`);

    await tabTo(page, 'button', 'Verify');
    await page.keyboard.press('Enter');
    await explorer.dialog.waitFor();
    await page.keyboard.press('Enter');
    await explorer.said('Everything is whole.');

    const file = await download(page, temporary(), async () => {
      await tabTo(page, 'button', 'Download');
      await page.keyboard.press('Enter');
      await page.getByRole('menuitem', { name: /^As it is/ }).waitFor();
      await page.keyboard.press('Enter');
    });
    assert.equal(ok(['cat', file, '/letters/first.txt']).stdout, 'Dear reader');
    assert.ok(json(['snapshot', 'list', file]).snapshots.some(({ name }) => name === 'today'));
  },
);

visit('search by keys, and the page of keys', {}, async ({ page }) => {
  const explorer = new Explorer(page);
  await explorer.ready();
  await tabTo(page, 'button', 'Look at an example');
  await page.keyboard.press('Enter');
  await explorer.opened('example.rts.png');
  await page.keyboard.press('/');
  await page.keyboard.type('welcome');
  await page.getByRole('option', { name: /WELCOME\.md/ }).waitFor();
  await page.keyboard.press('Enter');
  await explorer.reads('Welcome');
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press('?');
  await explorer.dialog.waitFor();
  await page.keyboard.press('Escape');
  await explorer.dialog.waitFor({ state: 'hidden' });
});
