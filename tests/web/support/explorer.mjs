// The explorer as a visitor uses it: by what is written on it.
import assert from 'node:assert/strict';

import { drop } from './browser.mjs';

export class Explorer {
  constructor(page) {
    this.page = page;
    this.tree = page.getByRole('tree', { name: 'Files' });
    this.details = page.getByRole('complementary', { name: 'Details' });
    this.time = page.getByRole('region', { name: 'Time line' });
    this.layers = page.getByRole('region', { name: 'Layers' });
    this.plane = page.getByRole('application');
    this.dialog = page.getByRole('dialog');
  }

  button(name, within = this.page) {
    return within.getByRole('button', { name });
  }

  /** Waits until something is said, wherever on the page. */
  async said(text, options) {
    await this.page.getByText(text).first().waitFor(options);
  }

  /** Waits until a map of this name is open. */
  async opened(title, options) {
    await this.page.getByRole('heading', { level: 1, name: title }).waitFor(options);
    await this.plane.waitFor();
  }

  async ready() {
    await this.page.getByRole('button', { name: 'Look at an example' }).waitFor();
    await this.page.getByText(/engine is loading/i).waitFor({ state: 'hidden' });
  }

  /** Drops a folder, and waits until all of it is in. */
  async dropFolder(folder, files) {
    await this.ready();
    await drop(this.page, folder);
    await this.said(`${files} files`, { timeout: 60_000 });
  }

  /** Chooses a map file as the browser's own dialog gives it. */
  async openFile(file) {
    await this.ready();
    await this.page.locator('#start-map').setInputFiles(file);
  }

  async openUrl(url) {
    await this.ready();
    await this.button('Open from a URL').click();
    await this.dialog.getByLabel('Address of the map').fill(url);
    await this.dialog.getByRole('button', { name: 'Open', exact: true }).click();
  }

  /** Answers a dialog that asks for one line. */
  async answer(label, text, action) {
    await this.dialog.getByLabel(label).fill(text);
    await this.dialog.getByRole('button', { name: action }).click();
    await this.dialog.waitFor({ state: 'hidden' });
  }

  /** Goes down the tree to a path, opening folders, and chooses it. */
  async choose(path) {
    const names = path.split('/').filter(Boolean);
    for (const [depth, name] of names.entries()) {
      const item = this.tree.locator(`[role="treeitem"][aria-level="${depth + 2}"]`, {
        hasText: name,
      });
      await item.first().waitFor();
      if (depth === names.length - 1) {
        await item.first().click();
      } else if ((await item.first().getAttribute('aria-expanded')) !== 'true') {
        await item.first().click();
        await this.page.keyboard.press('ArrowRight');
      }
    }
    await this.details.getByText(names.at(-1)).first().waitFor();
  }

  /** The text of the chosen file, as it is shown. */
  text() {
    return this.details.getByRole('textbox', { name: /^Text of/ });
  }

  /** Waits until the preview holds some words. */
  async reads(words) {
    const text = this.text();
    await text.waitFor();
    const deadline = Date.now() + 10_000;
    for (;;) {
      const value = await text.inputValue();
      if (value.includes(words)) return value;
      assert.ok(
        Date.now() < deadline,
        `the preview says ${JSON.stringify(value.slice(0, 200))}, not ${words}`,
      );
      await this.page.evaluate(() => new Promise(requestAnimationFrame));
    }
  }

  /** Replaces the text of the chosen file and saves it. */
  async edit(words) {
    await this.text().fill(words);
    await this.button('Save', this.details).click();
    await this.button('Save', this.details).waitFor({ state: 'hidden' });
  }

  async snapshot(name) {
    await this.button('Snapshot', this.page.getByRole('toolbar', { name: 'Map' })).click();
    await this.answer('Name', name, 'Take the snapshot');
    await this.said(`Snapshot ${name} is kept.`);
  }

  /** Chooses from the menu that a button opens. */
  async menu(button, item) {
    await button.click();
    await this.page.getByRole('menuitem', { name: item }).click();
  }

  /** Verifies every checksum; returns the words of the verdict. */
  async verify() {
    await this.button('Verify', this.page.getByRole('toolbar', { name: 'Map' })).click();
    await this.dialog
      .getByRole('button', { name: /^Verify\b(?! thoroughly)/ })
      .first()
      .click();
    const verdict = this.page.getByText(/Everything is whole\.|problems? found/).first();
    await verdict.waitFor({ timeout: 60_000 });
    return verdict.textContent();
  }

  /** The card of layers with its legend, which is closed where there is little room. */
  async openLegend() {
    const head = this.layers.getByRole('button').first();
    if ((await head.getAttribute('aria-expanded')) === 'false') await head.click();
  }

  layer(name) {
    return this.layers.getByRole('radio', { name });
  }

  async chooseLayer(name) {
    await this.layer(name).check({ force: true });
  }

  /** Colours on the tiles of the plane: how many there are of each. */
  colours() {
    return this.page.evaluate(() => {
      const found = new Map();
      for (const tile of document.querySelectorAll('canvas.plane-tile')) {
        if (tile.width === 0 || tile.offsetParent === null) continue;
        const copy = new OffscreenCanvas(tile.width, tile.height);
        const context = copy.getContext('2d', { willReadFrequently: true });
        context.drawImage(tile, 0, 0);
        const { data } = context.getImageData(0, 0, tile.width, tile.height);
        for (let at = 0; at < data.length; at += 4 * 7) {
          const colour = `${data[at]},${data[at + 1]},${data[at + 2]},${data[at + 3]}`;
          found.set(colour, (found.get(colour) ?? 0) + 1);
        }
      }
      return [...found];
    });
  }

  /** Waits until the plane shows at least so many colours. */
  async painted(least = 4) {
    const deadline = Date.now() + 15_000;
    let seen = 0;
    while (Date.now() < deadline) {
      seen = (await this.colours()).length;
      if (seen >= least) return seen;
      await this.page.evaluate(() => new Promise(requestAnimationFrame));
    }
    assert.fail(`the plane shows ${seen} colours only`);
    return seen;
  }

  /** Moves the pointer over the plane until the card beside it says a name; returns where that was. */
  async pointAt(name) {
    const box = await this.plane.boundingBox();
    const card = this.page.locator('.plane-hover').getByText(name);
    for (let step = 1; step < 60; step += 1) {
      // A spiral from the middle, where what was chosen is shown.
      const turn = step * 2.4;
      const away = Math.sqrt(step / 60) * Math.min(box.width, box.height) * 0.45;
      const x = box.x + box.width / 2 + Math.cos(turn) * away;
      const y = box.y + box.height / 2 + Math.sin(turn) * away;
      await this.page.mouse.move(x, y);
      const said = await card.waitFor({ timeout: 400 }).then(
        () => true,
        () => false,
      );
      if (said) return { x, y };
    }
    return assert.fail(`the pointer finds ${name} nowhere`);
  }

  /** Plane and zoom of the address, once it says `#...at=`. */
  async camera() {
    await this.page.waitForFunction(() => /[#&]at=/.test(location.hash));
    const [x, y, zoom] = new URLSearchParams(new URL(this.page.url()).hash.slice(1))
      .get('at')
      .split(',')
      .map(Number);
    return { x, y, zoom };
  }
}
