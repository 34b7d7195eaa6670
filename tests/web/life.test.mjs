// A folder's life in a picture: dropped, walked through, changed, kept, compared, rolled back, taken
// away; and the command line finds the same bytes in it.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { download, drop } from './support/browser.mjs';
import { Explorer } from './support/explorer.mjs';
import { makeMaps } from './support/maps.mjs';
import { assertSameBytes, listing, makeProject } from './support/trees.mjs';
import { temporary, visit } from './support/visit.mjs';
import { json, ok } from '../cli/support.mjs';

const folder = temporary();
const harbour = path.join(folder, 'harbour');
mkdirSync(harbour);
makeProject(harbour);
const FILES = listing(harbour).filter((name) => !name.endsWith('/')).length;

/** Takes the map out of a picture by the command line. */
function extracted(file) {
  ok(['verify', '--deep', file]);
  const out = path.join(temporary(), 'out');
  ok(['extract', '--quiet', file, out]);
  return out;
}

visit(
  'a dropped folder: seen, read, changed, kept, compared, rolled back, downloaded',
  {},
  async ({ page }) => {
    const explorer = new Explorer(page);
    await explorer.dropFolder(harbour, FILES);
    await explorer.opened('harbour');

    // It is there, on the plane and in the legend.
    await explorer.painted(5);
    await explorer.openLegend();
    await explorer.layers.getByText('source', { exact: false }).first().waitFor();
    await explorer.chooseLayer('Zones');
    await explorer.layers.getByText('temperate').first().waitFor();
    await explorer.painted(3);
    await explorer.chooseLayer('Files');

    // Through the tree to a file; hovering over its patch says its name.
    await explorer.choose('/data/noise.bin');
    await explorer.details.getByText('684 KiB').first().waitFor();
    const patch = await explorer.pointAt('noise.bin');
    // A click on the plane chooses what lies there.
    await explorer.choose('/README.md');
    await explorer.reads('A small project');
    await page.mouse.click(patch.x, patch.y);
    await explorer.details.getByRole('heading', { name: 'noise.bin' }).waitFor();
    await explorer.choose('/pictures/map.png');
    await explorer.details.getByRole('img', { name: /map\.png/ }).waitFor();

    // Text is changed and saved.
    await explorer.choose('/notes/monday.txt');
    await explorer.reads('The tide is at six.');
    await explorer.edit('The tide is at seven.\n');
    const now = path.join(folder, 'now');
    cpSync(harbour, now, { recursive: true });
    writeFileSync(path.join(now, 'notes/monday.txt'), 'The tide is at seven.\n');

    // A moment is kept; then more changes.
    await explorer.snapshot('monday');
    await explorer.edit('No tide at all.\n');
    await explorer.choose('/data/numbers.json');
    await page.keyboard.press('Delete');
    await explorer.dialog.getByRole('button', { name: 'Delete' }).click();
    await explorer.said('numbers.json is deleted.');

    // What changed since.
    await explorer.button('Compare', explorer.time).click();
    await explorer.dialog.getByRole('button', { name: 'Compare' }).click();
    const changes = page.getByRole('complementary', { name: 'Files' });
    await changes.getByText('monday.txt').waitFor();
    await changes.getByText('numbers.json').waitFor();
    await explorer.painted(3);

    // And back.
    await explorer.time.getByRole('slider', { name: 'Moment' }).focus();
    await page.keyboard.press('ArrowLeft');
    await explorer.said(/You look at/);
    await explorer.button('Roll back', explorer.time).click();
    await explorer.dialog.getByRole('button', { name: 'Roll back' }).click();
    await explorer.said(/The map is what it was at monday/);

    // Taken away, in both forms.
    const toolbar = page.getByRole('toolbar', { name: 'Map' });
    const downloads = temporary();
    const live = await download(page, downloads, () =>
      explorer.menu(explorer.button('Download', toolbar), /^As it is/),
    );
    assert.match(path.basename(live), /\.rts\.png$/);
    assert.equal(json(['info', live]).form, 'live');
    assertSameBytes(now, extracted(live));
    const names = json(['snapshot', 'list', live]).snapshots.map(({ name }) => name);
    assert.ok(names.includes('monday'), `snapshots: ${names.join(', ')}`);
    const packed = await download(page, temporary(), () =>
      explorer.menu(explorer.button('Download', toolbar), /^Packed/),
    );
    assert.equal(json(['info', packed]).form, 'packed');
    assertSameBytes(now, extracted(packed));
  },
);

visit('a folder chosen instead of dropped', {}, async ({ page }) => {
  const explorer = new Explorer(page);
  await explorer.ready();
  await page.locator('#start-folder').setInputFiles(harbour);
  await explorer.said(`${FILES} files`, { timeout: 60_000 });
  await explorer.opened('harbour');
  await explorer.choose('/notes/größe — 日本語 🦀.txt');
  await explorer.reads('names in several scripts');
});

visit(
  "a map of the command line's: opened, copied, changed, and read by it again",
  {},
  async ({ page }) => {
    const explorer = new Explorer(page);
    const { tree, live } = makeMaps(temporary());
    const before = readFileSync(live);
    await explorer.openFile(live);
    await explorer.opened('harbour.rts.png');
    await explorer.painted(4);
    await explorer.choose('/notes/monday.txt');
    await explorer.reads('The tide is at six.');
    assert.equal(await explorer.text().getAttribute('readonly'), '', 'a file is for reading');
    await explorer.button('Edit a copy').click();
    await explorer.answer('Name of the copy', 'my harbour', 'Copy and open');
    await explorer.opened(/my harbour/);
    await explorer.choose('/notes/monday.txt');
    await explorer.edit('Written in a browser.\n');
    const file = await download(page, temporary(), () =>
      explorer.menu(
        explorer.button('Download', page.getByRole('toolbar', { name: 'Map' })),
        /^As it is/,
      ),
    );
    writeFileSync(path.join(tree, 'notes/monday.txt'), 'Written in a browser.\n');
    assertSameBytes(tree, extracted(file));
    assert.ok(readFileSync(live).equals(before), 'the original is as it was');
  },
);

visit('made, renamed, brought in, deleted', {}, async ({ page }) => {
  const explorer = new Explorer(page);
  const toolbar = page.getByRole('toolbar', { name: 'Map' });
  await explorer.ready();
  await explorer.button('New empty map').click();
  await explorer.answer('Name', 'desk', 'Make it');
  await explorer.opened(/desk/);
  await explorer.menu(explorer.button('Add', toolbar), 'New folder');
  await explorer.answer('Name', 'drawer', 'Make the folder');
  await explorer.tree.getByText('drawer').waitFor();
  await explorer.menu(explorer.button('Add', toolbar), 'New text file');
  await explorer.answer('Name', 'list.txt', 'Make the file');
  await explorer.text().waitFor();
  await explorer.edit('pens\n');
  await explorer.choose('/drawer/list.txt');
  await page.keyboard.press('F2');
  await page.getByLabel('New name of list.txt').fill('things.txt');
  await page.keyboard.press('Enter');
  await explorer.tree.getByText('things.txt').waitFor();

  // A drop beside what is there already.
  await explorer.choose('/drawer');
  await drop(page, path.join(harbour, 'README.md'));
  await explorer.said(/1 file, .* brought in/);
  await explorer.choose('/drawer/README.md');
  await explorer.reads('# Harbour');

  const file = await download(page, temporary(), () =>
    explorer.menu(explorer.button('Download', toolbar), /^As it is/),
  );
  const expected = temporary();
  mkdirSync(path.join(expected, 'drawer'));
  writeFileSync(path.join(expected, 'drawer/things.txt'), 'pens\n');
  cpSync(path.join(harbour, 'README.md'), path.join(expected, 'drawer/README.md'));
  assertSameBytes(expected, extracted(file));
  rmSync(file);
});
