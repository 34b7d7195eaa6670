// Where things lie: moved to another zone, warmed by reading, recorded and read again.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';

import { download } from './support/browser.mjs';
import { Explorer } from './support/explorer.mjs';
import { listing, makeProject } from './support/trees.mjs';
import { temporary, visit } from './support/visit.mjs';
import { json } from '../cli/support.mjs';

const harbour = path.join(temporary(), 'harbour');
mkdirSync(harbour);
makeProject(harbour);
const FILES = listing(harbour).filter((name) => !name.endsWith('/')).length;

visit('a file is moved near and far, and stays so', {}, async ({ page }) => {
  const explorer = new Explorer(page);
  await explorer.dropFolder(harbour, FILES);
  await explorer.opened('harbour');
  await explorer.choose('/notes/long.txt');
  const distance = async () => {
    const words = await explorer.details.getByText(/pixels from the centre/).textContent();
    return Number(/([\d,]+) pixels/.exec(words)[1].replaceAll(',', ''));
  };
  const zones = explorer.details.getByRole('group', { name: 'Move to zone' });
  await zones.getByRole('button', { name: 'hot' }).click();
  await explorer.said(/has its place|nearest room/);
  const near = await distance();
  await zones.getByRole('button', { name: 'cold' }).click();
  const deadline = Date.now() + 10_000;
  while ((await distance()) <= near) {
    assert.ok(Date.now() < deadline, `it still lies ${near} pixels from the centre`);
    await page.waitForTimeout(100);
  }
  const far = await distance();
  const file = await download(page, temporary(), () =>
    explorer.menu(
      explorer.button('Download', page.getByRole('toolbar', { name: 'Map' })),
      /^As it is/,
    ),
  );
  const [, importance] = /"importance":(\d+)/.exec(
    JSON.stringify(json(['stat', file, '/notes/long.txt'])),
  );
  assert.ok(Number(importance) < 64, `${far} pixels away, importance ${importance}`);
});

visit('reading warms, and a recording of it is played again', {}, async ({ page }) => {
  const explorer = new Explorer(page);
  await explorer.dropFolder(harbour, FILES);
  await explorer.opened('harbour');
  await explorer.chooseLayer('Heat');
  await explorer.openLegend();
  const recorder = page.getByRole('group', { name: 'Record and replay reads' });
  await recorder.getByRole('button', { name: 'Record', exact: true }).click();
  await recorder.getByText(/Recording/).waitFor();
  await explorer.choose('/notes/long.txt');
  await explorer.reads('word');
  await explorer.choose('/source/main.rs');
  await explorer.reads('//!');
  await explorer.button('Stop', recorder).click();
  await recorder.getByText(/\d+ reads? in/).waitFor();
  await recorder.getByLabel('Speed of the replay').selectOption('64');
  await explorer.button('Replay', recorder).click();
  await recorder.getByRole('button', { name: 'Record', exact: true }).waitFor();
  const kept = await download(page, temporary(), () =>
    explorer.button('Save the recording', recorder).click(),
  );
  assert.match(path.basename(kept), /\.json$/);
});

visit('a folder comes out as an archive with the same bytes', {}, async ({ page }) => {
  const { spawnSync } = await import('node:child_process');
  const { readFileSync } = await import('node:fs');
  const explorer = new Explorer(page);
  await explorer.dropFolder(harbour, FILES);
  await explorer.opened('harbour');
  await explorer.choose('/data');
  const archive = await download(page, temporary(), () =>
    explorer.button('Download as .zip', explorer.details).click(),
  );
  assert.match(path.basename(archive), /\.zip$/);
  const bytes = readFileSync(archive);
  assert.equal(bytes.readUInt32LE(0), 0x04034b50, 'it begins as an archive does');
  const made = spawnSync('python3', ['-m', 'zipfile', '-t', archive], { encoding: 'utf8' });
  if (made.error === undefined && made.status !== null) {
    assert.equal(made.status, 0, made.stderr);
  }
  assert.ok(bytes.includes(readFileSync(path.join(harbour, 'data/noise.bin')).subarray(0, 4096)));
});
