// docs/CLI.md is what the program says about itself. AETHERFLOW_UPDATE=1 writes it anew.
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { test } from 'node:test';

import { manual } from '../../npm/dist/cli/manual.js';
import { COMMANDS } from '../../npm/dist/cli/registry.js';

const DOCUMENT = new URL('../../docs/CLI.md', import.meta.url);
const MARK = '<!-- From here on this page is made from the commands themselves. -->\n';

test('docs/CLI.md agrees with the parser', async () => {
  const text = fs.readFileSync(DOCUMENT, 'utf8');
  const at = text.indexOf(MARK);
  assert.ok(at > 0, 'the mark is there');
  const made = `${text.slice(0, at)}${MARK}\n${await manual()}`;
  if (process.env.AETHERFLOW_UPDATE === '1') fs.writeFileSync(DOCUMENT, made);
  else assert.equal(text, made, 'run AETHERFLOW_UPDATE=1 node --test tests/cli/manual.test.mjs');
});

test('the table of commands names every command', () => {
  const text = fs.readFileSync(DOCUMENT, 'utf8');
  for (const { name } of COMMANDS) assert.ok(text.includes(`### ${name}\n`), name);
});
