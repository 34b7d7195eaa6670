// A map on a server is read by ranges: only what is looked at comes over the wire.
import assert from 'node:assert/strict';
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';

import { download } from './support/browser.mjs';
import { Explorer } from './support/explorer.mjs';
import { makeMaps } from './support/maps.mjs';
import { serve } from './support/server.mjs';
import { temporary, visit } from './support/visit.mjs';
import { content, ok, random } from '../cli/support.mjs';

const folder = temporary();
makeMaps(folder);
// Large enough that reading all of it would be a bad idea.
const large = path.join(folder, 'large');
mkdirSync(large);
const next = random(3);
for (let index = 0; index < 40; index += 1) {
  writeFileSync(path.join(large, `noise-${index}.bin`), content(next, 1 << 20, 'noise'));
}
writeFileSync(path.join(large, '00 README.md'), '# Far away\n\nRead by ranges.\n');
ok(['build', '--quiet', large, path.join(folder, 'large.rts.png')]);
ok([
  'pack',
  '--quiet',
  path.join(folder, 'large.rts.png'),
  path.join(folder, 'large-packed.rts.png'),
]);

const folders = { '/maps/': folder };

/** What the counter on the page says, in bytes. */
async function counted(page) {
  const counter = page.getByText(/fetched of/).first();
  await counter.waitFor();
  const [, amount, unit] =
    /([\d.,]+)\s*([kKMG]?i?B|bytes)\s*fetched/.exec(await counter.textContent()) ?? [];
  assert.ok(amount, `the counter says ${await counter.textContent()}`);
  const scale = { B: 1, bytes: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9, KiB: 1024, MiB: 1024 ** 2 };
  return Number(amount.replaceAll(',', '')) * scale[unit];
}

/** Bytes sent of a path, once a second went by without more. */
async function atRest(server, name) {
  for (;;) {
    const { bytes } = server.traffic(name);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    if (server.traffic(name).bytes === bytes) return bytes;
  }
}

for (const [form, name] of [
  ['live', 'large.rts.png'],
  ['packed', 'large-packed.rts.png'],
]) {
  visit(
    `a ${form} map by its address: a small part of it is fetched`,
    { folders },
    async ({ page, server, t }) => {
      const explorer = new Explorer(page);
      const at = `/maps/${name}`;
      const size = statSync(path.join(folder, name)).size;
      await explorer.openUrl(server.origin + at);
      await explorer.opened(name);
      await explorer.painted();
      await explorer.choose('/00 README.md');
      await explorer.reads('Read by ranges.');
      await page.waitForLoadState('networkidle');
      const sent = server.traffic(at);
      t.diagnostic(`${form}: ${sent.bytes} of ${size} bytes in ${sent.requests} requests`);
      assert.ok(sent.ranges >= sent.requests - 1, 'asked for by ranges');
      assert.ok(sent.bytes < size / 4, `${sent.bytes} of ${size} bytes were fetched`);
      // The counter comes with the next word of the worker.
      const deadline = Date.now() + 5000;
      let said = await counted(page);
      const near = () =>
        Math.abs(said - server.traffic(at).bytes) <= Math.max(1024, sent.bytes * 0.02);
      while (!near() && Date.now() < deadline) said = await counted(page);
      assert.ok(near(), `the page says ${said}, the server sent ${server.traffic(at).bytes}`);
    },
  );
}

visit(
  'a file of a remote map comes whole when it is downloaded',
  { folders },
  async ({ page, server }) => {
    const explorer = new Explorer(page);
    await explorer.openUrl(`${server.origin}/maps/large-packed.rts.png`);
    await explorer.opened('large-packed.rts.png');
    await explorer.choose('/noise-7.bin');
    const before = await atRest(server, '/maps/large-packed.rts.png');
    const file = await download(page, temporary(), () =>
      explorer.button('Download', explorer.details).click(),
    );
    assert.ok(readFileSync(file).equals(readFileSync(path.join(large, 'noise-7.bin'))));
    assert.ok(server.traffic('/maps/large-packed.rts.png').bytes - before < 6 << 20);
  },
);

visit('a map of another server that allows it', {}, async ({ page }) => {
  const other = await serve({ '/': folder }, { anyOrigin: true });
  try {
    const explorer = new Explorer(page);
    await explorer.openUrl(`${other.origin}/harbour-packed.rts.png`);
    await explorer.opened('harbour-packed.rts.png');
    await explorer.painted();
  } finally {
    await other.stop();
  }
});

visit(
  'a map of a server that does not allow it',
  { allow: [/CORS|ERR_FAILED/] },
  async ({ page }) => {
    const other = await serve({ '/': folder });
    try {
      const explorer = new Explorer(page);
      await explorer.openUrl(`${other.origin}/harbour-packed.rts.png`);
      await page
        .getByRole('alert')
        .filter({ hasText: /reach|allow|CORS/i })
        .first()
        .waitFor();
    } finally {
      await other.stop();
    }
  },
);

visit(
  'a map that changes on the server while it is read',
  { folders },
  async ({ page, server }) => {
    const explorer = new Explorer(page);
    const moving = path.join(folder, 'moving.rts.png');
    copyFileSync(path.join(folder, 'large.rts.png'), moving);
    await explorer.openUrl(`${server.origin}/maps/moving.rts.png`);
    await explorer.opened('moving.rts.png');
    await explorer.painted();
    utimesSync(moving, 1, 1);
    await explorer.choose('/noise-13.bin');
    await explorer.said(/has changed since it was opened/);
  },
);
