// What a first visit fetches, and what the page asks of a server: nothing but files.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { weigh } from '../../xtask/node/first-load.mjs';
import { PAGE } from './support/server.mjs';
import { visit } from './support/visit.mjs';

visit('a first visit fetches what its budget counts, and no more', {}, async ({ page, server }) => {
  await page.getByText(/engine is loading/i).waitFor({ state: 'hidden' });
  await page.waitForLoadState('networkidle');
  const counted = new Set(weigh(PAGE).map(({ name }) => `/${name}`));
  // The browser asks for the icon where and when it likes.
  const fetched = server.paths().map((name) => (name === '/' ? '/index.html' : name));
  const surplus = fetched.filter((name) => !counted.has(name));
  assert.deepEqual(surplus, [], 'what the budget in xtask/node/first-load.mjs does not count');
});

visit(
  'words are on the page before the engine is there',
  {
    start: false,
    server: {
      before(request, response) {
        // A slow line: the module comes after the test has looked.
        if (!request.url.endsWith('.wasm')) return false;
        setTimeout(() => response.destroy(), 20_000).unref();
        return true;
      },
    },
    allow: [/Failed to load resource/],
  },
  async ({ page, server }) => {
    await page.goto(server.origin);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.getByText(/engine is loading/i).waitFor();
  },
);

visit(
  'an engine that cannot be loaded is explained',
  {
    server: {
      before(request, response) {
        if (!request.url.endsWith('.wasm')) return false;
        response.writeHead(503).end('later');
        return true;
      },
    },
    allow: [/503/],
  },
  async ({ page }) => {
    await page
      .getByRole('alert')
      .filter({ hasText: /engine/i })
      .waitFor();
  },
);

visit(
  'the page works from any folder of a server',
  { start: false, folders: {} },
  async (visiting) => {
    const { serve } = await import('./support/server.mjs');
    const deep = await serve({ '/some/where/': PAGE });
    try {
      await visiting.page.goto(`${deep.origin}/some/where/`);
      await visiting.page.getByText(/engine is loading/i).waitFor({ state: 'hidden' });
      await visiting.page.getByRole('button', { name: /example/i }).waitFor();
    } finally {
      await deep.stop();
    }
  },
);

visit('nothing is inline, so that a strict policy holds', { start: false }, () => {
  const html = readFileSync(path.join(PAGE, 'index.html'), 'utf8');
  assert.match(html, /Content-Security-Policy/);
  assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)/);
  assert.doesNotMatch(html, /<style|\son\w+=/);
  assert.doesNotMatch(html, /unsafe-inline|'unsafe-eval'/);
});
