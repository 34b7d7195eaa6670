/**
 * The map as a file for the visitor, and as another map in this browser.
 *
 * Rules: while a file is copied no change gets in between, and before that the engine makes it a
 * strictly valid picture; what is made lies in a temporary file until it is whole.
 */
import type { OnProgress } from '../engine/contract';
import { copyBytes } from './copy';
import { EngineMap, type HostStorage } from './engine-types';
import { Reporter } from './progress';
import type { Session } from './session';
import type { Backing } from './storage/backing';
import type { Draft, Keeper } from './storage/keeper';

export type Form = 'live' | 'packed';

/** The open map as a file. */
export async function save(
  session: Session,
  keeper: Keeper,
  form: Form,
  onProgress: OnProgress | undefined,
): Promise<File> {
  return within(keeper, async (draft) => {
    await writeForm(session, keeper, form, draft.storage, new Reporter(onProgress));
    return draft.give(fileName(session.backing.title, form), 'image/png');
  });
}

/** A copy of the open map that can be changed. */
export async function copyMap(
  session: Session,
  keeper: Keeper,
  name: string,
  onProgress: OnProgress | undefined,
): Promise<Backing> {
  return within(keeper, async (draft) => {
    await writeForm(session, keeper, 'live', draft.storage, new Reporter(onProgress));
    return draft.adopt(name);
  });
}

/** Makes a picture that another tool has saved a map again. */
export async function convert(
  source: Backing,
  keeper: Keeper,
  onProgress: OnProgress | undefined,
): Promise<Backing> {
  return within(keeper, async (draft) => {
    const reporter = new Reporter(onProgress);
    await withWhole(source, keeper, reporter, (storage) => {
      unpack(storage, draft.storage, reporter);
    });
    return draft.adopt(source.title);
  });
}

/** Runs `action` with a new file, which goes away when that fails. */
async function within<T>(keeper: Keeper, action: (draft: Draft) => Promise<T>): Promise<T> {
  const draft = await keeper.draft();
  try {
    return await action(draft);
  } catch (error) {
    await draft.discard().catch(() => undefined);
    throw error;
  }
}

async function writeForm(
  session: Session,
  keeper: Keeper,
  form: Form,
  target: HostStorage,
  reporter: Reporter,
): Promise<void> {
  const { backing, head } = session;
  await session.alone(async () => {
    // What is half in has no name yet, and closing the map would take it away.
    session.checkIdle();
    const now = await session.reading(({ raw }) => raw.info().form, head);
    if (now === form) {
      // Parity and checksums too: the engine goes on with the map afterwards.
      if (backing.writable) head.raw.close();
      await copyBytes(backing, target, reporter, () => !session.ending);
    } else if (form === 'packed') {
      if (backing.remote === undefined) pack(head.raw, target, reporter);
      else {
        await withWhole(backing, keeper, reporter, (storage) => {
          const whole = EngineMap.openOn(storage, undefined, { readOnly: true });
          try {
            pack(whole, target, reporter);
          } finally {
            whole.free();
          }
        });
      }
    } else {
      await withWhole(backing, keeper, reporter, (storage) => {
        unpack(storage, target, reporter);
      });
    }
  });
}

/** Runs `action`, which reads everything at once, with a storage that has everything here. */
async function withWhole(
  source: Backing,
  keeper: Keeper,
  reporter: Reporter,
  action: (storage: HostStorage) => void,
): Promise<void> {
  if (source.remote === undefined) {
    action(source.storage);
    return;
  }
  const copy = await keeper.draft();
  try {
    await copyBytes(source, copy.storage, reporter);
    action(copy.storage);
  } finally {
    await copy.discard().catch(() => undefined);
  }
}

function pack(map: EngineMap, target: HostStorage, reporter: Reporter): void {
  let at = 0;
  map.pack(
    (chunk) => {
      target.writeAt(at, chunk);
      at += chunk.length;
    },
    {},
    (done, total) => {
      reporter.tell(done, total);
    },
  );
}

function unpack(source: HostStorage, target: HostStorage, reporter: Reporter): void {
  EngineMap.unpackOn(source, target, {}, (done, total) => {
    reporter.tell(done, total);
  });
}

/** What a download is called. */
function fileName(title: string, form: Form): string {
  const name = title.replace(/(\.packed)?(\.rts)?\.png$/i, '');
  return form === 'packed' ? `${name}.packed.rts.png` : `${name}.rts.png`;
}
