// A Chromium with a fresh profile, and what a visitor does that takes more than a click.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

/** Where pictures of failures and figures go. */
export const WEB =
  process.env.AETHERFLOW_WEB ?? fileURLToPath(new URL('../../../target/web', import.meta.url));

/** Milliseconds until something that should be on the page is missed; two slow cores run all of it. */
export const PATIENCE = 15_000;

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-search-engine-choice-screen',
  '--hide-scrollbars',
];

function program() {
  const named = process.env.AETHERFLOW_CHROMIUM;
  const known = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  const found = named ?? known.find((candidate) => existsSync(candidate));
  assert.ok(found, 'there is no Chromium: install one, or name it in AETHERFLOW_CHROMIUM');
  return found;
}

/** A browser with a fresh profile. */
export async function launch(options = {}) {
  const profile = mkdtempSync(path.join(os.tmpdir(), 'aetherflow-profile-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: program(),
    headless: true,
    args: FLAGS,
    viewport: { width: 1280, height: 800 },
    locale: 'en-GB',
    timezoneId: 'UTC',
    acceptDownloads: true,
    serviceWorkers: 'block',
    ...options,
  });
  context.setDefaultTimeout(PATIENCE);
  return {
    context,
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Opens the page and waits until the engine is there. */
export async function arrive(page, address) {
  await page.goto(address);
  await page.getByRole('main').first().waitFor();
}

/** Collects what goes wrong in page and workers. */
export function watch(page, allow = []) {
  const errors = [];
  const add = (text) => {
    if (!allow.some((pattern) => pattern.test(text))) errors.push(text);
  };
  page.on('pageerror', (error) => add(`uncaught: ${error.stack ?? error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') add(`${message.text()} (${message.location().url})`);
  });
  page.on('crash', () => add('the page crashed'));
  return errors;
}

/** Drops files and folders of this machine onto the page, as a file manager does. */
export async function drop(page, paths, at) {
  const session = await page.context().newCDPSession(page);
  const size = page.viewportSize();
  const { x, y } = at ?? { x: size.width / 2, y: size.height / 2 };
  const data = { items: [], files: [paths].flat(), dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop']) {
    await session.send('Input.dispatchDragEvent', { type, x, y, data });
  }
  await session.detach();
}

/** Takes a download to its end; returns the path of the file. */
export async function download(page, folder, action) {
  const [started] = await Promise.all([
    page.waitForEvent('download', { timeout: 60_000 }),
    action(),
  ]);
  const file = path.join(folder, started.suggestedFilename());
  await started.saveAs(file);
  return file;
}
