/** The details of the chosen file, read again whenever they may have changed. */
import { effect, signal } from '@preact/signals';

import { engine } from '../engine/client';
import type { Details, Problem } from '../engine/contract';
import { filesRevision, openMap } from './map';
import { heed } from './heed';
import { problemOf } from './notices';
import { selection, snapshot } from './view';

export const details = signal<Details | null>(null);
export const detailsProblem = signal<Problem | null>(null);

let running: { path: string; result: Promise<Details> } | undefined;

/** The same question asked twice at once is asked once. */
export function detailsOf(path: string): Promise<Details> {
  if (running?.path === path) return running.result;
  const result = engine.details(path);
  const mine = { path, result };
  running = mine;
  const done = () => {
    if (running === mine) running = undefined;
  };
  result.then(done, done);
  return result;
}

effect(() => {
  const path = selection.value;
  // Read for the subscription: each of these makes what is known stale.
  heed(filesRevision.value, snapshot.value);
  running = undefined;
  if (path === null || openMap.value === null) {
    details.value = null;
    detailsProblem.value = null;
    return;
  }
  detailsOf(path).then(
    (found) => {
      if (selection.value !== path) return;
      details.value = found;
      detailsProblem.value = null;
    },
    (error: unknown) => {
      if (selection.value !== path) return;
      details.value = null;
      detailsProblem.value = problemOf(error);
    },
  );
});
