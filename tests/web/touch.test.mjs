// By fingers: two that part zoom in, one that wipes moves.
import assert from 'node:assert/strict';

import { Explorer } from './support/explorer.mjs';
import { visit } from './support/visit.mjs';

visit(
  'pinch, wipe and tap',
  { browser: { hasTouch: true, isMobile: true }, viewport: { width: 412, height: 915 } },
  async ({ page }) => {
    const explorer = new Explorer(page);
    await explorer.ready();
    await explorer.button('Look at an example').tap();
    await explorer.opened('example.rts.png');
    await explorer.painted();
    const session = await page.context().newCDPSession(page);
    const touch = async (type, ...points) => {
      const touchPoints = points.map(([x, y], id) => ({ x, y, id }));
      await session.send('Input.dispatchTouchEvent', { type, touchPoints });
      await page.evaluate(() => new Promise(requestAnimationFrame));
    };
    const box = await explorer.plane.boundingBox();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const changed = async (from) => {
      await page.waitForFunction((hash) => location.hash !== hash, from);
      await page.waitForTimeout(800);
      return explorer.camera();
    };

    const whole = await explorer.camera();
    let hash = new URL(page.url()).hash;
    await touch('touchStart', [x - 30, y], [x + 30, y]);
    for (let step = 1; step <= 10; step += 1) {
      await touch('touchMove', [x - 30 - step * 9, y], [x + 30 + step * 9, y]);
    }
    await touch('touchEnd');
    const near = await changed(hash);
    assert.ok(near.zoom > whole.zoom + 0.5, `from zoom ${whole.zoom} to ${near.zoom}`);

    hash = new URL(page.url()).hash;
    await touch('touchStart', [x, y]);
    for (let step = 1; step <= 10; step += 1)
      await touch('touchMove', [x + step * 8, y + step * 5]);
    await touch('touchEnd');
    const moved = await changed(hash);
    assert.ok(moved.x < near.x - 5, `from ${near.x} to ${moved.x}`);
    assert.ok(Math.abs(moved.zoom - near.zoom) < 0.01, 'wiping does not zoom');
  },
);
