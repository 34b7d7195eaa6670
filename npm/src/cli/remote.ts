/** A mounted map, asked through the control socket of the process that serves it. */
import type {
  CompressReport,
  MapInfo,
  MapSettings,
  SnapshotInfo,
  VerifyReport,
  ZoneInfo,
} from '../contract.js';
import type { LockRecord } from '../lock.js';
import { ControlClient } from '../mount/control.js';
import { EXIT } from './exit-codes.js';
import { Failure, failureOf, fieldsOf, whyOf } from './failure.js';
import { mapPath } from './session.js';
import type { CacheReport, CompressOptions, MountPlace, Stats, Watch, WholeMap } from './whole.js';

export class RemoteMap implements WholeMap {
  readonly name: string;
  readonly mounted: MountPlace;
  readonly #client: ControlClient;

  private constructor(name: string, client: ControlClient) {
    this.name = name;
    this.#client = client;
    const { mountPoint, pid } = client.greeting;
    this.mounted = { mountPoint, pid };
  }

  /** Connects to the process that holds the lock of a mounted map. */
  static async connect(name: string, holder: LockRecord, mountPoint: string): Promise<RemoteMap> {
    try {
      return new RemoteMap(name, await ControlClient.connect(holder.socket ?? ''));
    } catch (error) {
      const fields = fieldsOf(error);
      if (fields.code === 'EACCES' || fields.code === 'EPERM') {
        throw new Failure(
          EXIT.readOnly,
          'cannot open',
          name,
          `another user has it mounted at ${mountPoint} (process ${holder.pid})`,
          'ask as that user, or as root',
          { reason: 'access', code: fields.code },
        );
      }
      throw new Failure(
        EXIT.locked,
        'cannot open',
        name,
        `it is mounted at ${mountPoint}, but process ${holder.pid} (${holder.program}) does not answer: ${whyOf(error, fields)}`,
        'unmount it, or end that process',
        { reason: 'silent', code: 'EBUSY' },
      );
    }
  }

  close(): void {
    this.#client.close();
  }

  async #call<T>(
    what: string,
    method: string,
    params: Readonly<Record<string, unknown>> = {},
    watch?: Watch,
    where: string = this.name,
  ): Promise<T> {
    const onProgress =
      watch === undefined
        ? undefined
        : (done: number, total: number): undefined => {
            watch(done, total);
          };
    try {
      return (await this.#client.call(method, params, { onProgress })) as T;
    } catch (error) {
      throw failureOf(error, what, where);
    }
  }

  info(): Promise<MapInfo> {
    return this.#call('cannot read', 'info');
  }

  stats(): Promise<Stats> {
    return this.#call('cannot read', 'stats');
  }

  async zones(): Promise<ZoneInfo[]> {
    const zones = await this.#call<ZoneInfo[]>('cannot read', 'zones');
    // JSON has no infinity: the outermost zone ends nowhere.
    return zones.map((zone) => ({ ...zone, outer: (zone.outer as number | null) ?? Infinity }));
  }

  settings(): Promise<MapSettings> {
    return this.#call('cannot read', 'settings');
  }

  async configure(change: Partial<MapSettings>): Promise<void> {
    await this.#call('cannot configure', 'config', change);
  }

  async sync(seal: boolean): Promise<void> {
    await this.#call('cannot write to', seal ? 'checkpoint' : 'sync');
  }

  createSnapshot(name: string, note: string | undefined): Promise<SnapshotInfo> {
    const params = { name, ...(note === undefined ? {} : { note }) };
    return this.#snapshot('cannot create snapshot', 'snapshot.create', params);
  }

  listSnapshots(): Promise<SnapshotInfo[]> {
    return this.#call('cannot read', 'snapshot.list');
  }

  restoreSnapshot(name: string): Promise<SnapshotInfo> {
    return this.#snapshot('cannot restore snapshot', 'snapshot.restore', { name });
  }

  async deleteSnapshots(names: readonly string[]): Promise<void> {
    for (const name of names) {
      await this.#snapshot('cannot delete snapshot', 'snapshot.delete', { name });
    }
  }

  #snapshot<T>(what: string, method: string, params: { name: string; note?: string }): Promise<T> {
    return this.#call(what, method, params, undefined, `${params.name} of ${this.name}`);
  }

  compress(options: CompressOptions, watch: Watch): Promise<CompressReport> {
    const { level, all } = options;
    const params = {
      path: mapPath(options.path).toString('utf8'),
      ...(level === undefined ? {} : { level }),
      ...(all === true ? { all } : {}),
    };
    return this.#call('cannot compress', 'compress', params, watch);
  }

  verify(deep: boolean, watch: Watch): Promise<VerifyReport> {
    return this.#call('cannot verify', 'verify', { deep }, watch);
  }

  cache({ drop, budget }: { drop: boolean; budget: number | undefined }): Promise<CacheReport> {
    const params = { ...(drop ? { drop } : {}), ...(budget === undefined ? {} : { budget }) };
    return this.#call('cannot change the caches of', 'cache', params);
  }
}
