// What is kept in the browser is there again after a reload, however soon it comes.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';

import { Explorer } from './support/explorer.mjs';
import { listing, makeProject } from './support/trees.mjs';
import { temporary, visit } from './support/visit.mjs';

const harbour = path.join(temporary(), 'harbour');
mkdirSync(harbour);
makeProject(harbour);
const FILES = listing(harbour).filter((name) => !name.endsWith('/')).length;

visit('a map survives a reload, with its address', {}, async ({ page }) => {
  const explorer = new Explorer(page);
  await explorer.dropFolder(harbour, FILES);
  await explorer.opened('harbour');
  await explorer.camera();
  await page.reload();
  // The address names the map: it opens by itself.
  await explorer.opened('harbour');
  await explorer.choose('/README.md');
  await explorer.reads('A small project');
});

visit('an edit is there after a reload that follows at once', {}, async ({ page }) => {
  const explorer = new Explorer(page);
  await explorer.dropFolder(harbour, FILES);
  await explorer.opened('harbour');
  await explorer.choose('/notes/monday.txt');
  await explorer.reads('six');
  await explorer.edit('The tide is at nine.\n');
  await page.reload();
  await explorer.opened('harbour');
  await explorer.choose('/notes/monday.txt');
  await explorer.reads('The tide is at nine.');
  assert.match(await explorer.verify(), /whole/);
});

visit(
  'the start page lists what is kept, opens it and deletes it',
  {},
  async ({ page, server }) => {
    const explorer = new Explorer(page);
    await explorer.dropFolder(harbour, FILES);
    await explorer.opened('harbour');
    await explorer.button('Close this map').click();
    const kept = page.getByRole('region', { name: 'Kept in this browser' });
    await kept.getByText('harbour').first().waitFor();
    await page.goto(server.origin);
    await kept.getByText('harbour').first().click();
    await explorer.opened('harbour');
    await explorer.button('Close this map').click();
    await explorer.button('Delete harbour', kept).click();
    await explorer.dialog.getByRole('button', { name: 'Delete' }).click();
    await kept.getByText('No maps yet').waitFor();
  },
);

visit('one map in two tabs: the second says why it cannot', {}, async ({ page, context }) => {
  const explorer = new Explorer(page);
  await explorer.dropFolder(harbour, FILES);
  await explorer.opened('harbour');
  await explorer.camera();
  const second = await context.newPage();
  try {
    await second.goto(page.url());
    await second
      .getByRole('alert')
      .filter({ hasText: /another tab/i })
      .first()
      .waitFor();
  } finally {
    await second.close();
  }
});
