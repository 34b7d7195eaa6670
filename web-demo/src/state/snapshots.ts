/** The snapshots of the open map, and which one is looked at. */
import { batch, effect, signal } from '@preact/signals';

import { engine } from '../engine/client';
import type { Snapshot } from '../engine/contract';
import { ask, confirm } from './dialogs';
import { filesRevision, openMap, snapshotsRevision } from './map';
import { heed } from './heed';
import { complain, tell } from './notices';
import { comparison, layer, snapshot } from './view';

/** Oldest first. */
export const snapshotList = signal<readonly Snapshot[]>([]);
/** What the scrubber points at: ahead of `snapshot` while the engine is still turning to it. */
export const pointed = signal<string | null>(null);

effect(() => {
  heed(snapshotsRevision.value);
  if (openMap.value === null) {
    snapshotList.value = [];
    return;
  }
  engine
    .snapshots()
    .then(
      (list) => (snapshotList.value = list.toSorted((a, b) => a.created - b.created)),
      complain,
    );
});

effect(() => {
  pointed.value = snapshot.value;
});

let turning = false;

/** Shows a snapshot, or the present (null). While one is being turned to, only the last wish counts. */
export async function look(name: string | null): Promise<void> {
  pointed.value = name;
  if (turning) return;
  turning = true;
  try {
    while (pointed.value !== snapshot.peek()) {
      const wanted = pointed.value;
      await engine.view(wanted);
      batch(() => {
        const next = pointed.value;
        snapshot.value = wanted;
        pointed.value = next;
        filesRevision.value += 1;
      });
    }
  } catch (error) {
    pointed.value = snapshot.value;
    complain(error);
  } finally {
    turning = false;
  }
}

export async function takeSnapshot(): Promise<void> {
  const taken = new Set(snapshotList.value.map(({ name }) => name));
  const answer = await ask({
    title: 'Keep this moment',
    text: 'A snapshot costs nothing at first: it holds on to what is there, and only later changes take new room.',
    label: 'Name',
    value: freeName(taken),
    note: { label: 'Note (optional)', value: '' },
    action: 'Take the snapshot',
    check: (name) => {
      if (name.trim() === '') return 'A name is needed.';
      if (taken.has(name.trim())) return 'There is a snapshot of this name already.';
      return undefined;
    },
  });
  if (answer === null) return;
  try {
    const made = await engine.createSnapshot(answer.value.trim(), answer.note.trim());
    snapshotsRevision.value += 1;
    tell(`Snapshot ${made.name} is kept.`);
  } catch (error) {
    complain(error);
  }
}

function freeName(taken: ReadonlySet<string>): string {
  const day = new Date().toLocaleDateString('en-CA');
  let name = day;
  for (let number = 2; taken.has(name); number += 1) name = `${day} (${number})`;
  return name;
}

export async function rollBack(name: string): Promise<void> {
  const yes = await confirm({
    title: `Roll back to ${name}?`,
    text: 'Every file becomes what it was then. The state of now is kept as an automatic snapshot, so you can come back.',
    action: 'Roll back',
  });
  if (!yes) return;
  try {
    await look(null);
    const kept = await engine.rollBack(name);
    snapshotsRevision.value += 1;
    filesRevision.value += 1;
    tell(`The map is what it was at ${name}. The state before is kept as ${kept.name}.`);
  } catch (error) {
    complain(error);
  }
}

export async function removeSnapshot(name: string): Promise<void> {
  const yes = await confirm({
    title: `Delete the snapshot ${name}?`,
    text: 'What only this snapshot still holds is freed. This cannot be undone.',
    action: 'Delete',
    danger: true,
  });
  if (!yes) return;
  try {
    if (snapshot.value === name) await look(null);
    await engine.deleteSnapshot(name);
    snapshotsRevision.value += 1;
    tell(`Snapshot ${name} is deleted.`);
  } catch (error) {
    complain(error);
  }
}

/** Finds what changed, and shows it on the plane and as a list. */
export async function compare(before: string | null, after: string | null): Promise<void> {
  try {
    const found = await engine.compare(before, after);
    batch(() => {
      comparison.value = found;
      layer.value = 'changes';
    });
  } catch (error) {
    complain(error);
  }
}

export function endComparison(): void {
  batch(() => {
    comparison.value = null;
    if (layer.value === 'changes') layer.value = 'files';
  });
}
