/** Verifying the open map: one action for every part of the page that offers it. */
import { computed, effect, signal } from '@preact/signals';

import { callback, engine } from '../engine/client';
import type { VerifyReport } from '../engine/contract';
import { openMap } from './map';
import { announce, runTask } from './notices';

/** What the last verify of the open map found. */
export const report = signal<VerifyReport | null>(null);
export const verifying = signal(false);
/** Counts up when the `damage` overlay is to be painted again. */
export const damageRevision = signal(0);
/** Paths of files that verify found damaged, each once. */
export const damagedFiles = computed<string[]>(() => [
  ...new Set(
    (report.value?.problems ?? []).flatMap(({ path, severity }) =>
      path === undefined || severity === 'harmless' ? [] : [path],
    ),
  ),
]);

let lastAddress: string | undefined;
effect(() => {
  // A report holds for the map it is about.
  const opened = openMap.value;
  const address = opened === null ? undefined : `${opened.from.kind} ${opened.from.address}`;
  if (address === lastAddress) return;
  lastAddress = address;
  report.value = null;
});

/** Checks every checksum and structure; damaged clusters light up on the plane. */
export async function verifyMap(deep = false): Promise<VerifyReport | undefined> {
  if (verifying.peek()) return undefined;
  verifying.value = true;
  try {
    const found = await runTask('Verifying every checksum', 'things', (onProgress) =>
      engine.verify(deep, callback(onProgress)),
    );
    if (found !== undefined) {
      report.value = found;
      damageRevision.value += 1;
      announce(verdict(found));
    }
    return found;
  } finally {
    verifying.value = false;
  }
}

/** What a report comes to, in one sentence. */
export function verdict(found: VerifyReport): string {
  if (found.problems.length === 0) {
    return `All ${found.clustersChecked.toLocaleString('en')} clusters are sound.`;
  }
  const more = found.problemsTruncated ? 'more than ' : '';
  const problems = found.problems.length;
  return `Verify found ${more}${problems.toLocaleString('en')} ${problems === 1 ? 'problem' : 'problems'}.`;
}
