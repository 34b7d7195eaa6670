/** From a source to an open map, whatever form it has. */
import type { OnProgress, Source } from '../engine/contract';
import { EngineMap } from './engine-types';
import { Heat } from './heat';
import { throttled } from './pace';
import { PlaneKeeper } from './plane';
import { problem } from './problems';
import { readingWith, Session, type Tell } from './session';
import type { Backing } from './storage/backing';
import { fileBacking } from './storage/file';
import type { Sink } from './storage/http-open';
import type { Draft, Keeper } from './storage/keeper';

/** A tenth of a second: often enough to look like counting. */
const FETCHED_INTERVAL = 100;

/** An open map and what serves the page from it. */
export interface Opened {
  session: Session;
  plane: PlaneKeeper;
  heat: Heat;
  /** Starts what goes on by itself. */
  begin(): void;
}

/** @param ready the files, where they are open already */
export async function openSource(
  source: Source,
  keeper: Keeper,
  tell: Tell,
  onProgress: OnProgress | undefined,
  ready?: Backing,
): Promise<Opened> {
  let backing = ready ?? (await backingOf(source, keeper, tell, onProgress));
  try {
    if (backing.kind === 'file' || backing.kind === 'url') {
      const { storage, remote } = backing;
      const form = await readingWith(remote, () => EngineMap.detectOn(storage));
      if (form === 'foreign') {
        // Parts that most visits do without come when they are wanted.
        const { convert } = await import('./save');
        const made = await convert(backing, keeper, onProgress);
        await backing.release(false);
        backing = made;
      }
    }
    return await sessionOn(backing, tell);
  } catch (error) {
    await backing.release(false).catch(() => undefined);
    throw error;
  }
}

/** A new, empty map kept in this browser. */
export async function createMap(
  name: string,
  expectedSize: number,
  keeper: Keeper,
  tell: Tell,
): Promise<Opened> {
  const draft = await keeper.draft();
  let backing: Backing;
  try {
    // Made aside, so that there is never half a map among the maps.
    const map = EngineMap.createOn(draft.storage, undefined, {
      expectedSize,
      compression: 'all',
      level: 3,
    });
    try {
      map.close();
    } finally {
      map.free();
    }
    backing = await draft.adopt(name);
  } catch (error) {
    await draft.discard().catch(() => undefined);
    throw error;
  }
  try {
    return await sessionOn(backing, tell);
  } catch (error) {
    await backing.release(false).catch(() => undefined);
    throw error;
  }
}

async function sessionOn(backing: Backing, tell: Tell): Promise<Opened> {
  const { storage, log, remote } = backing;
  const options = backing.writable ? {} : { readOnly: true };
  const raw = await readingWith(remote, () => EngineMap.openOn(storage, log, options));
  // The plane reads the table's first pages.
  const session = await readingWith(remote, () => new Session(backing, raw, tell));
  const heat = new Heat(session);
  const plane = new PlaneKeeper(session);
  return {
    session,
    plane,
    heat,
    begin: () => {
      plane.begin();
    },
  };
}

async function backingOf(
  source: Source,
  keeper: Keeper,
  tell: Tell,
  onProgress: OnProgress | undefined,
): Promise<Backing> {
  switch (source.kind) {
    case 'stored':
      return keeper.open(source.name);
    case 'file':
      if (source.file.size === 0)
        throw problem('EINVAL', 'not-a-map', 'This file is empty, so it is not a map.');
      return fileBacking(source.file);
    case 'url':
      return urlBacking(source.url, keeper, tell, onProgress);
  }
}

async function urlBacking(
  typed: string,
  keeper: Keeper,
  tell: Tell,
  onProgress: OnProgress | undefined,
): Promise<Backing> {
  const { addressOf, openHttp, titleOf } = await import('./storage/http-open');
  const url = addressOf(typed);
  const title = titleOf(url);
  let draft: Draft | undefined;
  const sink = async (): Promise<Sink> => {
    const made = await keeper.draft();
    draft = made;
    let at = 0;
    return {
      write: (piece) => {
        made.storage.writeAt(at, piece);
        at += piece.length;
      },
    };
  };
  let counted: () => void = () => undefined;
  try {
    const opened = await openHttp(url, () => counted(), sink, onProgress);
    const about = { kind: 'url', address: url, title, writable: false, kept: false } as const;
    if ('ranges' in opened) {
      const storage = opened.ranges;
      counted = throttled(() => {
        const { fetched, size, requests } = storage;
        tell({ type: 'fetched', bytes: Math.min(fetched, size), total: size, requests });
      }, FETCHED_INTERVAL);
      counted();
      const release = (): Promise<void> => {
        storage.close();
        return Promise.resolve();
      };
      return { ...about, storage, log: undefined, remote: storage, release };
    }
    const whole = draft;
    if (whole === undefined) throw problem('EIO', 'unreachable', 'Nothing was downloaded.');
    const total = whole.storage.length();
    tell({ type: 'fetched', bytes: total, total, requests: 1 });
    return { ...about, storage: whole.storage, log: undefined, release: () => whole.discard() };
  } catch (error) {
    await draft?.discard().catch(() => undefined);
    throw error;
  }
}
