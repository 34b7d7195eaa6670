/** Snapshots: kept states of the whole map, in constant time. */
import type { Snapshot } from '../engine/contract';
import type { SnapshotInfo } from './engine-types';
import { problem } from './problems';
import type { Session } from './session';

function snapshotOf({ name, note, created, automatic, files, bytes }: SnapshotInfo): Snapshot {
  return { name, note, created, automatic, files, bytes };
}

export async function snapshots(session: Session): Promise<Snapshot[]> {
  const list = await session.reading(({ raw }) => raw.snapshotList(), session.head);
  return list.map(snapshotOf);
}

export async function createSnapshot(
  session: Session,
  name: string,
  note: string,
): Promise<Snapshot> {
  if (name.trim() === '') throw problem('EINVAL', 'invalid', 'A snapshot needs a name.');
  const info = await session.changing('snapshots', ({ raw }) =>
    raw.snapshotCreate(name.trim(), note),
  );
  return snapshotOf(info);
}

export async function deleteSnapshot(session: Session, name: string): Promise<void> {
  session.forget(name);
  await session.changing('snapshots', ({ raw }) => {
    raw.snapshotDelete(name);
  });
}

/** The present becomes what the snapshot holds; what it was is kept in another. */
export async function rollBack(session: Session, name: string): Promise<Snapshot> {
  session.checkIdle();
  session.forgetAll();
  const info = await session.changing('snapshots', ({ raw }) => raw.snapshotRestore(name));
  // Nothing is as it was: the page reads all of it again.
  session.tell({ type: 'files' });
  await session.sync();
  return snapshotOf(info);
}
