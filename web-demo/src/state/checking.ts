/** Checking the whole map. */
import { callback, engine } from '../engine/client';
import { runTask, announce } from './notices';
import { count } from './text';
import { report } from './verify';
import { leftTab } from './window';

export async function check(deep: boolean): Promise<void> {
  const found = await runTask('Checking every cluster', 'things', (onProgress) =>
    engine.verify(deep, callback(onProgress)),
  );
  if (found === undefined) return;
  report.value = found;
  leftTab.value = 'check';
  announce(
    found.ok ? 'Everything is whole.' : `${count(found.problems.length, 'problem')} found.`,
  );
}
