// `aetherflow explore MAP`: the page and the map from one small server of the command line's.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { Explorer } from './support/explorer.mjs';
import { makeMaps } from './support/maps.mjs';
import { temporary, visit } from './support/visit.mjs';
import { MAIN } from '../cli/support.mjs';

const { live, packed } = makeMaps(temporary());

for (const [form, map] of Object.entries({ live, packed })) {
  visit(
    `a ${form} map is walked through from the command line`,
    { start: false },
    async ({ page }) => {
      const program = spawn(process.execPath, [MAIN, 'explore', '--json', map]);
      try {
        let said = '';
        program.stdout.on('data', (piece) => (said += String(piece)));
        while (!/"url":\s*"[^"]+"/.test(said)) await once(program.stdout, 'data');
        const [, address] = /"url":\s*"([^"]+)"/.exec(said);
        await page.goto(address);
        const explorer = new Explorer(page);
        await explorer.opened(/harbour/);
        await explorer.painted(4);
        await explorer.choose('/notes/monday.txt');
        await explorer.reads('The tide is at six.');
        assert.match(await explorer.verify(), /whole/);
      } finally {
        const ended = once(program, 'exit');
        program.kill('SIGINT');
        await ended;
      }
    },
  );
}
