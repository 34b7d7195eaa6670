// Tests that are a visit to the explorer: each on an origin of its own, so that nothing kept by one is
// seen by another, in one browser for a file of tests. A visit fails on any error of the page.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';

import { arrive, launch, watch, WEB } from './browser.mjs';
import { PAGE, serve } from './server.mjs';

/** A folder that goes away when the tests of this file are over. */
export function temporary() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'aetherflow-web-'));
  after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

let shared;
after(() => shared?.then((browser) => browser.close()));

/**
 * A test that visits the explorer.
 *
 * @param options.folders more folders to serve, by path
 * @param options.server options of {@link serve}
 * @param options.browser options of {@link launch}, for a browser of its own
 * @param options.viewport, options.colorScheme, options.reducedMotion as playwright names them
 * @param options.allow patterns of console errors that belong to the story
 * @param options.start false: the page is not opened yet
 * @param body gets { page, server, context, t, errors }
 */
export function visit(name, options, body) {
  test(name, { timeout: options.timeout ?? 120_000 }, async (t) => {
    const server = await serve({ '/': PAGE, ...options.folders }, options.server);
    shared ??= options.browser ? undefined : launch();
    const browser = await (options.browser ? launch(options.browser) : shared);
    const page = await browser.context.newPage();
    const errors = watch(page, options.allow ?? []);
    try {
      if (options.viewport) await page.setViewportSize(options.viewport);
      await page.emulateMedia({
        colorScheme: options.colorScheme ?? 'dark',
        reducedMotion: options.reducedMotion ?? 'reduce',
      });
      if (options.start !== false) await arrive(page, server.origin);
      await body({ page, server, context: browser.context, t, errors });
      assert.deepEqual(errors, [], 'the page told of errors');
    } catch (error) {
      await keepPicture(page, name);
      if (errors.length > 0) t.diagnostic(`errors of the page: ${errors.join('\n')}`);
      throw error;
    } finally {
      await page.close();
      if (options.browser) await browser.close();
      await server.stop();
    }
  });
}

async function keepPicture(page, name) {
  const folder = path.join(WEB, 'failures');
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${name.replace(/\W+/g, '-').toLowerCase()}.png`);
  await page
    .screenshot({ path: file })
    .then(() => console.log(`    a picture of the failure: ${file}`))
    .catch(() => {});
}
