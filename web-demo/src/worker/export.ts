/** Files on their way out: one as it is, a directory as an archive. Both are streamed to disk. */
import type { OnProgress } from '../engine/contract';
import { fileAt, pieces, tidyPath, walk } from './files';
import { TYPE } from './gate';
import { baseName, encodeName, plainText } from './names';
import { Reporter } from './progress';
import type { Session } from './session';
import type { Draft, Keeper } from './storage/keeper';
import type { View } from './view';

const LINK_MODE = 0o120777;

export async function exportPath(
  session: Session,
  keeper: Keeper,
  given: string,
  onProgress: OnProgress | undefined,
): Promise<File> {
  const path = tidyPath(given);
  const view = session.shown;
  const reporter = new Reporter(onProgress);
  const name = plainText(baseName(path));
  const top = await session.reading(
    ({ gate }) => gate.stat(path === '/' ? gate.root : gate.resolve(path)),
    view,
  );
  const draft = await keeper.draft();
  try {
    if (top.mode >> 12 !== TYPE.directory) {
      await copyFile(session, view, path, draft, reporter);
      return await draft.give(name, '');
    }
    await archive(session, view, top.ino, draft, reporter);
    const title = session.backing.title.replace(/(\.rts)?\.png$/i, '');
    return await draft.give(`${name === '' ? title : name}.zip`, 'application/zip');
  } catch (error) {
    await draft.discard().catch(() => undefined);
    throw error;
  }
}

async function copyFile(
  session: Session,
  view: View,
  path: string,
  draft: Draft,
  reporter: Reporter,
): Promise<void> {
  const { ino, size } = await session.reading(({ gate }) => fileAt(gate, path), view);
  let at = 0;
  for await (const piece of pieces(session, view, ino, 0, size)) {
    draft.storage.writeAt(at, piece);
    at += piece.length;
    reporter.tell(at, size, path);
  }
  reporter.end(at, size);
}

async function archive(
  session: Session,
  view: View,
  root: number,
  draft: Draft,
  reporter: Reporter,
): Promise<void> {
  // Only who downloads a folder needs it.
  const { makeZip } = await import('client-zip');
  const reader = makeZip(members(session, view, root, reporter)).getReader();
  let at = 0;
  for (let step = await reader.read(); !step.done; step = await reader.read()) {
    draft.storage.writeAt(at, step.value);
    at += step.value.length;
  }
}

/** The last moment an archive can name, in 2107. */
const LAST_TIME = Date.UTC(2107, 11, 31);

/** A time as an archive can have it; a map may hold any. */
function archiveTime(time: number): Date {
  return new Date(Math.max(0, Math.min(time, LAST_TIME)) || 0);
}

/** What the archive is made of, in its order. */
async function* members(session: Session, view: View, root: number, reporter: Reporter) {
  let done = 0;
  async function* contents(ino: number, size: number, path: string) {
    for await (const piece of pieces(session, view, ino, 0, size)) {
      done += piece.length;
      reporter.tell(done, 0, path);
      yield piece;
    }
  }
  for await (const { ino, type, path } of walk(session, view, root)) {
    const { size, modified, mode } = await session.reading(({ gate }) => gate.stat(ino), view);
    // Bytes, so that names that are no UTF-8 stay what they are.
    const common = { lastModified: archiveTime(modified), mode };
    if (type === TYPE.directory) yield { name: encodeName(`${path}/`), ...common };
    else if (type === TYPE.file) {
      yield { name: encodeName(path), ...common, input: contents(ino, size, path) };
    } else if (type === TYPE.symlink) {
      const target = await session.reading(({ gate }) => gate.readlink(ino), view);
      yield { name: encodeName(path), ...common, mode: LINK_MODE, input: encodeName(target) };
    }
  }
}
