/** The map that is open, and what the engine says about it. */
import { batch, signal } from '@preact/signals';

import { callback, engine, workerFailed } from '../engine/client';
import type {
  Engine,
  EngineEvent,
  OpenMap,
  PlaneLayout,
  Problem,
  Source,
} from '../engine/contract';
import { problemOf, runTask, complain, warn } from './notices';
import { count } from './text';
import { flight, layer, selection, snapshot, tool } from './view';

export const openMap = signal<OpenMap | null>(null);
export const layout = signal<PlaneLayout | null>(null);
/** The engine is loading, ready, or could not be started at all. */
export const engineState = signal<'loading' | 'ready' | Problem>('loading');
/** Why the last map could not be opened. */
export const openProblem = signal<Problem | null>(null);
/** Each counts up when what it stands for is to be read again. */
export const filesRevision = signal(0);
export const snapshotsRevision = signal(0);
export const heatRevision = signal(0);
/** What is to be painted again. */
export const planeChange = signal<{
  revision: number;
  area?: { left: number; top: number; right: number; bottom: number };
}>({ revision: 0 });
export const index = signal<Extract<EngineEvent, { type: 'index' }> | null>(null);
export const fetched = signal<Extract<EngineEvent, { type: 'fetched' }> | null>(null);

/** Starts the engine; once, when the page is up. */
export async function startEngine(): Promise<void> {
  try {
    await Promise.race([workerFailed, engine.listen(callback(hear)).then(() => engine.start())]);
    engineState.value = 'ready';
  } catch (error) {
    engineState.value = problemOf(error);
  }
}

function hear(event: EngineEvent): void {
  switch (event.type) {
    case 'files':
      filesRevision.value += 1;
      return;
    case 'snapshots':
      snapshotsRevision.value += 1;
      return;
    case 'heat':
      heatRevision.value += 1;
      return;
    case 'plane':
      batch(() => {
        layout.value = event.layout;
        const revision = planeChange.value.revision + 1;
        planeChange.value =
          event.area === undefined ? { revision } : { revision, area: event.area };
      });
      return;
    case 'index':
      index.value = event;
      return;
    case 'fetched':
      // The last word about a remote map may come when its copy is open already.
      if (openMap.peek()?.from.kind !== 'stored') fetched.value = event;
      return;
    case 'failed':
      complain(event.problem);
  }
}

/**
 * Shows the map that `opening` gives, which is one of the engine's calls that open one.
 * @returns whether it worked; if not, `openProblem` says why
 */
export async function show(
  title: string,
  opening: (onProgress: NonNullable<Parameters<Engine['open']>[1]>) => Promise<OpenMap>,
): Promise<boolean> {
  openProblem.value = null;
  let failed = null as Problem | null;
  const opened = await runTask(title, 'bytes', async (onProgress) => {
    try {
      return await opening(callback(onProgress));
    } catch (error) {
      failed = problemOf(error);
      return undefined;
    }
  });
  if (opened === undefined) {
    // Where a map stays open, the start page is not there to say it.
    if (openMap.peek() === null) openProblem.value = failed;
    else if (failed !== null) complain(failed);
    return false;
  }
  if (opened.unfinished !== undefined) {
    warn(
      `The last import into this map was not finished: ${count(opened.unfinished.files, 'file')} of it ${opened.unfinished.files === 1 ? 'is' : 'are'} here.`,
      'Bring the same folder in again to have the rest.',
      () => void engine.acceptUnfinished().catch(complain),
    );
  }
  batch(() => {
    openMap.value = opened;
    layout.value = opened.layout;
    selection.value = null;
    snapshot.value = null;
    tool.value = 'look';
    fetched.value = null;
    layer.value = layer.value === 'changes' ? 'files' : layer.value;
    flight.value = 'whole';
    filesRevision.value += 1;
    snapshotsRevision.value += 1;
  });
  return true;
}

export function openSource(source: Source): Promise<boolean> {
  const name =
    source.kind === 'stored' ? source.name : source.kind === 'file' ? source.file.name : source.url;
  return show(`Opening ${name}`, (onProgress) => engine.open(source, onProgress));
}

/** Closes the map; `force` lets go of what cannot be saved, without it the map stays open then. */
export async function closeMap(force = false): Promise<void> {
  const before = { map: openMap.peek(), layout: layout.peek() };
  batch(() => {
    openMap.value = null;
    layout.value = null;
    selection.value = null;
  });
  try {
    await engine.close(force);
  } catch (error) {
    if (problemOf(error).reason === 'no-space' && !force) {
      batch(() => {
        openMap.value = before.map;
        layout.value = before.layout;
      });
    }
    throw error;
  }
}
