// axe-core's opinion of a page.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const SOURCE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Fails on every serious or critical violation; `what` names what is shown. */
export async function assertAccessible(page, what) {
  await page.evaluate(SOURCE);
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, { resultTypes: ['violations'] }),
  );
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  const words = grave.map(
    ({ id, impact, help, nodes }) =>
      `${impact}: ${help} (${id}): ${nodes
        .slice(0, 4)
        .map(({ target, failureSummary }) => `${target.join(' ')} — ${failureSummary}`)
        .join('; ')}`,
  );
  assert.equal(words.length, 0, `${what}: ${words.join('\n')}`);
}
