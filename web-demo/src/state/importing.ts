/** Files on their way into a map. */
import { signal } from '@preact/signals';

import { callback, engine } from '../engine/client';
import { dialog } from './dialogs';
import { CountedFeed, type Incoming } from './feed';
import { openSource, show } from './map';
import { complain, runTask, tell } from './notices';
import { bytes, count, shown } from './text';

/** What is coming in now, with a way to end it. */
export const importing = signal<{ title: string; feed: CountedFeed } | null>(null);

/** What the start page does with what it is given: one picture is a map, anything else becomes one. */
export async function openOrBuild(incoming: Incoming): Promise<void> {
  const { single } = incoming;
  if (single !== undefined && /\.png$/i.test(single.name)) {
    await openSource({ kind: 'file', file: single });
    return;
  }
  await buildMap(incoming, mapName(incoming.name));
}

export function mapName(name: string): string {
  const stem = name.replace(/(\.rts)?\.png$/i, '').trim();
  return stem === '' ? 'map' : stem;
}

export async function buildMap(incoming: Incoming, name: string): Promise<void> {
  const made = await show(`Making ${shown(name)}`, () => engine.create(name));
  if (made) await bringIn(incoming, '/');
}

export async function bringIn(incoming: Incoming, directory: string): Promise<void> {
  if (importing.peek() !== null) {
    complain(
      new Error('Other files are still on their way in. Drop these again when they are in.'),
    );
    return;
  }
  const title = `Bringing in ${shown(incoming.name)}`;
  const feed = new CountedFeed(incoming);
  importing.value = { title, feed };
  const report = await runTask(title, 'bytes', (onProgress) =>
    engine.import(directory, callback(feed), callback(onProgress)),
  );
  importing.value = null;
  if (report === undefined) return;
  const end = feed.stopped ? ' You ended it there; what came in is kept.' : '';
  tell(`${count(report.files, 'file')}, ${bytes(report.bytes)} brought in.${end}`);
  const failed = [...feed.missed, ...report.failed];
  const failedCount = feed.missed.length + report.failedCount;
  if (failed.length > 0)
    dialog.value = { kind: 'failures', report: { ...report, failed, failedCount } };
}
