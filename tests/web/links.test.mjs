// A link leads to the same place, layer, file and moment.
import assert from 'node:assert/strict';

import { Explorer } from './support/explorer.mjs';
import { visit } from './support/visit.mjs';

visit(
  'what is looked at stands in the address, and the address leads back',
  {},
  async ({ page, server, context }) => {
    const explorer = new Explorer(page);
    await explorer.ready();
    await explorer.button('Look at an example').click();
    await explorer.opened('example.rts.png');
    await explorer.painted();
    await explorer.choose('/WELCOME.md');
    await explorer.chooseLayer('Kinds');
    await explorer.plane.focus();
    for (const key of ['+', '+', 'ArrowRight', 'ArrowDown']) await page.keyboard.press(key);
    await page.waitForFunction(
      () => location.hash.includes('layer=kinds') && location.hash.includes('select=/WELCOME.md'),
    );
    let camera = await explorer.camera();
    for (let last; JSON.stringify(last) !== JSON.stringify(camera);) {
      last = camera;
      await page.waitForTimeout(700);
      camera = await explorer.camera();
    }
    const link = page.url();
    assert.match(link, /url=/);

    const second = await context.newPage();
    try {
      await second.goto(link);
      const other = new Explorer(second);
      await other.opened('example.rts.png');
      await other.details.getByText('WELCOME.md').first().waitFor();
      assert.ok(await other.layer('Kinds').isChecked());
      await second.waitForTimeout(1000);
      const there = await other.camera();
      for (const key of ['x', 'y', 'zoom']) {
        assert.ok(
          Math.abs(there[key] - camera[key]) < 1.5,
          `${key}: ${there[key]} and ${camera[key]}`,
        );
      }
    } finally {
      await second.close();
    }
    assert.ok(link.startsWith(server.origin));
  },
);

visit('a link to a snapshot shows the past', {}, async ({ page, server }) => {
  const explorer = new Explorer(page);
  const map = encodeURIComponent(`${server.origin}/example.rts.png`);
  await page.goto(`${server.origin}/#url=${map}&snapshot=engine`);
  await explorer.opened('example.rts.png');
  await explorer.said(/You look at/);
  await explorer.tree.getByText('docs').waitFor();
  assert.equal(await explorer.tree.getByText('pictures').count(), 0, 'it was not there then');
  await explorer.button('Back to the present').click();
  await explorer.tree.getByText('pictures').waitFor();
});

for (const hash of [
  '#url=nonsense',
  '#at=NaN,1,99999',
  '#map=not-there',
  '#select=%ED%A0%80&layer=x',
]) {
  visit(
    `a link that leads nowhere: ${hash}`,
    { allow: [/404|Failed to load|Invalid URL/] },
    async ({ page, server }) => {
      const explorer = new Explorer(page);
      await page.goto(`${server.origin}/${hash}`);
      await page.reload();
      await explorer.ready();
      await explorer.button('Look at an example').click();
      await explorer.opened('example.rts.png');
    },
  );
}
