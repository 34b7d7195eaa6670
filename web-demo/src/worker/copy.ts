/** Copying the bytes of a whole file from one storage to another. */
import { aborted } from './problems';
import { Pace } from './pace';
import type { Reporter } from './progress';
import type { HostStorage } from './engine-types';
import type { Backing, Remote } from './storage/backing';

const PIECE = 1 << 20;
/** What is fetched at once from a server. */
const WINDOW = 4 << 20;

/** Copies all bytes below `source`; stops with 'ABORTED' when `wanted` says so. */
export async function copyBytes(
  source: Pick<Backing, 'storage' | 'remote'>,
  target: HostStorage,
  reporter: Reporter,
  wanted: () => boolean = () => true,
): Promise<void> {
  const { storage, remote } = source;
  const size = storage.length();
  const buffer = new Uint8Array(PIECE);
  const pace = new Pace(30);
  for (let at = 0; at < size; at += PIECE) {
    if (!wanted()) throw aborted();
    if (remote !== undefined && at % WINDOW === 0) {
      await fetchWindow(storage, remote, at, Math.min(size, at + WINDOW));
    }
    const part = buffer.subarray(0, Math.min(PIECE, size - at));
    storage.readAt(at, part);
    target.writeAt(at, part);
    reporter.tell(at + part.length, size);
    await pace.step();
  }
  reporter.end(size, size);
}

/** Has a window's pieces fetched in parallel. */
async function fetchWindow(
  storage: HostStorage,
  remote: Remote,
  from: number,
  to: number,
): Promise<void> {
  const probe = new Uint8Array(PIECE / 2);
  let lacking = false;
  for (let at = from; at < to; at += probe.length) {
    remote.collect();
    try {
      storage.readAt(at, probe.subarray(0, Math.min(probe.length, to - at)));
    } catch {
      // Whatever it is, the read that follows meets it again.
    } finally {
      lacking = remote.settle() || lacking;
    }
  }
  if (lacking) await remote.fetchMissing();
}
