// Once visited, the page works without a network.
import assert from 'node:assert/strict';
import { visit } from './support/visit.mjs';

visit(
  'a page that was visited opens without a network',
  { browser: { serviceWorkers: 'allow' } },
  async ({ page, server, context }) => {
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
    await context.setOffline(true);
    server.forget();
    await page.reload();
    await page.getByRole('main').first().waitFor();
    assert.deepEqual(server.paths(), [], 'nothing was asked of the server');
    await context.setOffline(false);
  },
);

visit(
  'the offline copy leaves the example out and holds the rest',
  { browser: { serviceWorkers: 'allow' } },
  async ({ page }) => {
    const kept = await page.evaluate(async () => {
      await navigator.serviceWorker.ready;
      const names = [];
      for (const cache of await caches.keys()) {
        for (const request of await (await caches.open(cache)).keys()) {
          names.push(new URL(request.url).pathname);
        }
      }
      return names;
    });
    for (const end of ['.html', '.js', '.css', '.wasm', '.svg']) {
      assert.ok(
        kept.some((name) => name.endsWith(end)),
        `something that ends with ${end} is kept`,
      );
    }
    assert.ok(!kept.includes('/example.rts.png'));
  },
);
