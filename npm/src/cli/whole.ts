/**
 * The map as a whole, wherever it is open: in this process, or in the one that has it mounted.
 *
 * Commands that act on the map and not on its files are written against {@link WholeMap} and never
 * ask which of the two it is.
 */
import * as path from 'node:path';

import { realPathOf } from '../backing.js';
import type {
  CompressReport,
  MapInfo,
  MapSettings,
  MapStats,
  SnapshotInfo,
  VerifyReport,
  ZoneInfo,
} from '../contract.js';
import { lockHolder, type LockRecord } from '../lock.js';
import { mountPointOf } from '../mount/table.js';
import { EXIT } from './exit-codes.js';
import { attempt, Failure } from './failure.js';
import type { Output } from './output.js';
import { mapPath, type Session, withSession } from './session.js';

/** Where a map is mounted. */
export interface MountPlace {
  readonly mountPoint: string;
  readonly pid: number;
}

export interface CompressOptions {
  /** Only this path and all below it. */
  readonly path: string;
  readonly level?: number | undefined;
  /** Whatever the policy says, and compressed data again. */
  readonly all?: boolean | undefined;
}

/** Counters; `mount` are those of a mounted map's requests. */
export type Stats = MapStats & { readonly mount?: Readonly<Record<string, unknown>> };

/** One cache of a mounted map. Sizes in bytes. */
export interface CacheFigures {
  readonly name: string;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
  readonly bytes: number;
  readonly budget: number;
}

export interface CacheReport {
  /** Of all caches together. */
  readonly budget: number;
  readonly caches: readonly CacheFigures[];
}

/** Called with work done and expected. */
export type Watch = (done: number, total: number) => void;

/** What commands may ask of a map, in this process or in another. Failures name the map. */
export interface WholeMap {
  /** As the user named it. */
  readonly name: string;
  /** Undefined for a map that is not mounted. */
  readonly mounted: MountPlace | undefined;
  info(): Promise<MapInfo>;
  stats(): Promise<Stats>;
  zones(): Promise<ZoneInfo[]>;
  settings(): Promise<MapSettings>;
  /** Changes what is named, durably. */
  configure(change: Partial<MapSettings>): Promise<void>;
  /** Makes everything written so far durable, and with `seal` the file a strictly valid PNG. */
  sync(seal: boolean): Promise<void>;
  createSnapshot(name: string, note: string | undefined): Promise<SnapshotInfo>;
  listSnapshots(): Promise<SnapshotInfo[]>;
  /** @returns the automatic snapshot of the state before */
  restoreSnapshot(name: string): Promise<SnapshotInfo>;
  deleteSnapshots(names: readonly string[]): Promise<void>;
  compress(options: CompressOptions, watch: Watch): Promise<CompressReport>;
  verify(deep: boolean, watch: Watch): Promise<VerifyReport>;
  /** Figures of the caches, after emptying them with `drop` and giving them `budget` bytes. */
  cache(change: { drop: boolean; budget: number | undefined }): Promise<CacheReport>;
}

/** A map that this process has open. */
class LocalMap implements WholeMap {
  readonly name: string;
  readonly mounted = undefined;
  readonly #session: Session;

  constructor(name: string, session: Session) {
    this.name = name;
    this.#session = session;
  }

  /** Runs `action` as a promise; what it throws becomes a failure of `what` at `where`. */
  #run<T>(
    what: string,
    action: (raw: Session['raw']) => T,
    where: string = this.name,
  ): Promise<Awaited<T>> {
    return new Promise<T>((resolve) => {
      resolve(attempt(what, where, () => action(this.#session.raw)));
    }) as Promise<Awaited<T>>;
  }

  info(): Promise<MapInfo> {
    return this.#run('cannot read', (raw) => raw.info());
  }

  stats(): Promise<Stats> {
    return this.#run('cannot read', (raw) => raw.stats());
  }

  zones(): Promise<ZoneInfo[]> {
    return this.#run('cannot read', (raw) => raw.zones());
  }

  settings(): Promise<MapSettings> {
    return this.#run('cannot read', (raw) => raw.settings());
  }

  configure(change: Partial<MapSettings>): Promise<void> {
    return this.#run('cannot configure', (raw) => {
      raw.configure(change);
      raw.sync();
    });
  }

  sync(): Promise<void> {
    // Nothing is pending but what a crash left, and opening for writing has recovered that.
    return this.#run('cannot write to', (raw) => {
      raw.checkpoint();
    });
  }

  createSnapshot(name: string, note: string | undefined): Promise<SnapshotInfo> {
    return this.#run(
      'cannot create snapshot',
      (raw) => {
        const snapshot = raw.snapshotCreate(name, note);
        raw.sync();
        return snapshot;
      },
      `${name} of ${this.name}`,
    );
  }

  listSnapshots(): Promise<SnapshotInfo[]> {
    return this.#run('cannot read', (raw) => raw.snapshotList());
  }

  restoreSnapshot(name: string): Promise<SnapshotInfo> {
    return this.#run(
      'cannot restore snapshot',
      (raw) => {
        const before = raw.snapshotRestore(name);
        raw.sync();
        return before;
      },
      `${name} of ${this.name}`,
    );
  }

  async deleteSnapshots(names: readonly string[]): Promise<void> {
    for (const name of names) {
      await this.#run(
        'cannot delete snapshot',
        (raw) => {
          raw.snapshotDelete(name);
        },
        `${name} of ${this.name}`,
      );
    }
    await this.#run('cannot write to', (raw) => {
      raw.sync();
    });
  }

  async compress(options: CompressOptions, watch: Watch): Promise<CompressReport> {
    this.#session.resolve(mapPath(options.path));
    const { level, all } = options;
    return this.#run('cannot compress', (raw) => {
      const report = raw.compress(
        {
          path: mapPath(options.path).toString('utf8'),
          ...(level === undefined ? {} : { level }),
          ...(all === undefined ? {} : { all }),
        },
        watch,
      );
      raw.sync();
      return report;
    });
  }

  verify(deep: boolean, watch: Watch): Promise<VerifyReport> {
    return this.#run('cannot verify', (raw) => raw.verify({ deep }, watch));
  }

  cache(): Promise<CacheReport> {
    throw new Failure(
      EXIT.notFound,
      'cannot show the caches of',
      this.name,
      'it is not mounted',
      'caches live as long as a process has the map open: mount it first',
      { reason: 'not-mounted' },
    );
  }
}

/** A map that this process has open, as a whole. */
export function localMap(name: string, session: Session): WholeMap {
  return new LocalMap(name, session);
}

/** Opens a map in the mode that is needed, or asks the process that has it mounted. */
export async function withWhole<T>(
  name: string,
  mode: 'r' | 'r+',
  action: (map: WholeMap) => Promise<T>,
): Promise<T> {
  const holder = mountHolder(name);
  if (holder === undefined) {
    return withSession(name, mode, (session) => action(localMap(name, session)));
  }
  const { RemoteMap } = await import('./remote.js');
  const map = await RemoteMap.connect(name, holder.record, holder.mountPoint);
  try {
    return await action(map);
  } finally {
    map.close();
  }
}

/** Who has the map mounted, undefined where nobody has. */
function mountHolder(name: string): { record: LockRecord; mountPoint: string } | undefined {
  try {
    const real = realPathOf(name);
    const record = lockHolder(real);
    if (record?.socket == null) return undefined;
    // In another container the directory is not to be seen; the process may still be reached.
    return { record, mountPoint: mountPointOf(real) ?? path.dirname(record.socket) };
  } catch {
    // Opening the map says what is wrong.
    return undefined;
  }
}

/** `mounted at DIR (process N)`, for people. */
export function mountedText({ mountPoint, pid }: MountPlace, output: Output): string {
  return `${output.name(mountPoint)} (process ${pid})`;
}

/** The line that says where a mounted map is; nothing for another. */
export function tellMounted(map: WholeMap, output: Output): void {
  if (map.mounted !== undefined) output.done(`mounted at ${mountedText(map.mounted, output)}`);
}

/** The field of documents that says where a mounted map is. */
export function mountedField(map: WholeMap): { mounted?: MountPlace } {
  return map.mounted === undefined ? {} : { mounted: map.mounted };
}

/** How help texts describe that field. */
export const MOUNTED_FIELD = {
  'mounted?': 'where it is mounted: `mountPoint`, `pid`',
} as const;
