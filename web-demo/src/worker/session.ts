/**
 * The map that is open: its views, what waits for its storage, and how its changes become durable.
 *
 * Rules: the engine is synchronous and one thread serves everybody, so each call of it is a whole
 * step, and every `await` lets other requests in between; whoever continues after one checks that
 * the map is still open (`reading`, `changing` do). Changes take turns, so that a copy of the file
 * is a copy of one state.
 */
import type { EngineEvent, OpenMap } from '../engine/contract';
import { EngineMap, type MapOptions } from './engine-types';
import { throttled, Turns } from './pace';
import { aborted, explain, explainFully, problem } from './problems';
import type { Backing, Remote } from './storage/backing';
import { unfinishedImport } from './unfinished';
import { View } from './view';

/** What follows a change after this long becomes durable together with it … */
const SYNC_DELAY = 500;
/** … but nothing waits longer than this. */
const SYNC_LIMIT = 5000;
/** What could not be made durable is tried again after this long. */
const SYNC_RETRY = 5000;
/** After this long without a change everything is written home. */
const IDLE = 8000;
/** How often the page hears of changes. */
const INTERVAL = 400;
const BULK_INTERVAL = 2000;
/** Snapshots whose views are kept. */
const KEPT_VIEWS = 3;
/** A read of a remote map that still lacks something after so many fetches waits for the rest. */
const ROUNDS = 256;

export type Tell = (event: EngineEvent) => void;

/** What a change has touched. */
export type Touched = 'files' | 'places' | 'snapshots';

export class Session {
  readonly backing: Backing;
  readonly tell: Tell;
  readonly recovered: boolean;
  #head: View;
  #shown: View;
  /** Views of snapshots, the one used last at the end. */
  readonly #views = new Map<string, View>();
  /** Those on their way. */
  readonly #opening = new Map<string, Promise<View>>();
  readonly #turns = new Turns();
  #closed = false;
  #closing = false;
  /** Work under way that changes much. */
  #bulk = 0;
  #dirtySince: number | undefined;
  /** The page knows that saving by itself fails. */
  #failing = false;
  #syncTimer: ReturnType<typeof setTimeout> | undefined;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  /** Hears of every change of the plane; the plane's keeper sets it. */
  onPlane: () => void = () => undefined;
  /** Hears that views are new, or gone. */
  onViews: () => void = () => undefined;
  /** Hears that reads have warmed something. */
  onHeat: () => void = () => undefined;

  readonly #tellFiles = throttled(() => {
    if (!this.#closed) this.tell({ type: 'files' });
  }, INTERVAL);
  // To be painted, what was written must get its place: while much is written, seldom.
  readonly #tellPlane = throttled(
    () => {
      if (!this.#closed) this.onPlane();
    },
    () => (this.#bulk > 0 ? BULK_INTERVAL : INTERVAL),
  );

  constructor(backing: Backing, raw: EngineMap, tell: Tell) {
    this.backing = backing;
    this.tell = tell;
    this.recovered = raw.info().recovered;
    this.#head = new View(raw, null);
    this.#shown = this.#head;
  }

  static engineOptions(backing: Backing): MapOptions {
    return backing.writable ? {} : { readOnly: true };
  }

  /** The present. */
  get head(): View {
    return this.#head;
  }

  /** What the page looks at. */
  get shown(): View {
    return this.#shown;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** It is closed, or about to be: long work that changes nothing ends. */
  get ending(): boolean {
    return this.#closed || this.#closing;
  }

  describe(): OpenMap {
    const { kind, address, title, writable, kept } = this.backing;
    const unfinished = writable ? unfinishedImport(this.#head) : undefined;
    return {
      title,
      from: { kind, address },
      writable,
      kept,
      recovered: this.recovered,
      ...(unfinished && { unfinished }),
      info: this.#head.raw.info(),
      layout: this.#shown.plane.layout(),
    };
  }

  check(view: View): void {
    if (this.#closed || view.closed) throw aborted();
  }

  // ---- reading

  /**
   * Runs something that only reads. Where the storage is remote it is tried until everything it
   * needs is here, so it must not change anything when it fails.
   * @param view what to read; the one the page looks at
   * @param fetched told of the bytes that were fetched for it
   */
  reading<T>(
    action: (view: View) => T,
    view = this.#shown,
    fetched?: (bytes: number) => void,
  ): Promise<T> {
    const guarded = (): T => {
      this.check(view);
      return action(view);
    };
    return readingWith(this.backing.remote, guarded, fetched);
  }

  // ---- changing

  /**
   * Runs something that changes the present; afterwards it becomes durable by itself.
   * @param on the present that was looked at before: inode numbers of one mean nothing in another
   */
  changing<T>(touched: Touched, action: (head: View) => T, on?: View): Promise<T> {
    return this.#turns.take(() => {
      this.check(on ?? this.#head);
      this.checkWritable();
      try {
        return action(this.#head);
      } catch (error) {
        this.#mend(error);
        throw error;
      } finally {
        this.#changed(touched);
      }
    });
  }

  /** How much work that makes many changes is under way. */
  get bulk(): number {
    return this.#bulk;
  }

  /** @throws 'busy' while work is under way that relies on the present as it is */
  checkIdle(): void {
    if (this.#bulk === 0) return;
    throw problem('EBUSY', 'busy', 'Files are being changed just now.', 'Try again after that.');
  }

  /** Runs work that makes many changes. */
  async inBulk<T>(work: () => Promise<T>): Promise<T> {
    this.#bulk += 1;
    try {
      return await work();
    } finally {
      this.#bulk -= 1;
      if (!this.#closed) this.#tellPlane();
    }
  }

  /** Keeps changes away while `action` runs. */
  alone<T>(action: () => Promise<T>): Promise<T> {
    return this.#turns.take(async () => {
      this.check(this.#head);
      return action();
    });
  }

  /** @throws 'read-only' for a map that can only be read */
  checkWritable(): void {
    if (!this.backing.writable) {
      throw problem(
        'EROFS',
        'read-only',
        'This map can only be read here.',
        'Make a copy in this browser, which you can change.',
      );
    }
  }

  /** The same, and while a snapshot is shown: what the visitor changes is what he sees. */
  checkPresent(): void {
    this.checkWritable();
    if (this.#shown !== this.#head) {
      throw problem(
        'EROFS',
        'read-only',
        'A snapshot cannot be changed.',
        'Go back to the present, or roll back to this snapshot.',
      );
    }
  }

  #changed(touched: Touched): void {
    if (this.#closed) return;
    if (touched === 'files') this.#tellFiles();
    if (touched === 'snapshots') this.tell({ type: 'snapshots' });
    this.#tellPlane();
    this.#dirtySince ??= performance.now();
    clearTimeout(this.#syncTimer);
    clearTimeout(this.#idleTimer);
    const most = this.#dirtySince + SYNC_LIMIT - performance.now();
    this.#syncTimer = setTimeout(this.#syncLater, Math.max(0, Math.min(SYNC_DELAY, most)));
  }

  readonly #syncLater = (): void => {
    this.sync().then(
      () => {
        this.#failing = false;
      },
      async (error: unknown) => {
        const failed = await explainFully(error);
        if (failed.code === 'ABORTED' || this.#closed) return;
        if (!this.#failing) this.tell({ type: 'failed', problem: failed.plain() });
        this.#failing = true;
      },
    );
  };

  /** Makes everything so far durable. */
  sync(): Promise<void> {
    return this.#turns.take(() => {
      this.#sync();
    });
  }

  #sync(): void {
    if (this.#closed || !this.backing.writable || !this.backing.kept) return;
    clearTimeout(this.#syncTimer);
    try {
      this.#head.raw.sync();
    } catch (error) {
      // Room may be made meanwhile.
      this.#syncTimer = setTimeout(this.#syncLater, SYNC_RETRY);
      this.#mend(error);
      throw error;
    }
    this.#dirtySince = undefined;
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => void this.writeHome().catch(() => undefined), IDLE);
  }

  /** Writes everything home: the file alone is then the map, and heat is in its table. */
  writeHome(): Promise<void> {
    return this.#turns.take(() => {
      if (this.#closed || !this.backing.writable) return;
      try {
        this.#head.raw.checkpoint();
      } catch (error) {
        this.#mend(error);
        throw error;
      }
    });
  }

  /**
   * After a failed write the engine refuses every other one. What was durable is in the file and
   * its log: opening them again brings it back and lets the visitor go on.
   */
  #mend(error: unknown): void {
    const reason = (error as { reason?: unknown } | null)?.reason;
    const fatal = error instanceof WebAssembly.RuntimeError;
    if ((reason !== 'poisoned' && !fatal) || !this.backing.kept) return;
    this.#freeViews();
    this.#head.abandon();
    try {
      const raw = EngineMap.openOn(this.backing.storage, this.backing.log, {});
      this.#head = new View(raw, null);
    } catch (again) {
      // Nothing can be done with it here: another visit opens it from its files.
      this.#closed = true;
      this.#stopTimers();
      this.onViews();
      void this.backing.release(false).catch(() => undefined);
      const failed = explain(again).plain();
      this.tell({
        type: 'failed',
        problem: {
          ...failed,
          advice: 'What was saved is safe. Reload the page and open it again.',
        },
      });
      return;
    }
    this.#shown = this.#head;
    this.#dirtySince = undefined;
    this.onViews();
    this.tell({ type: 'files' });
    this.tell({ type: 'snapshots' });
  }

  // ---- views

  /** The view of a snapshot; of the present for null. */
  async view(name: string | null): Promise<View> {
    if (name === null) return this.#head;
    const known = this.#views.get(name);
    if (known !== undefined) {
      this.#views.delete(name);
      this.#views.set(name, known);
      return known;
    }
    const opening = this.#opening.get(name) ?? this.#open(name);
    this.#opening.set(name, opening);
    try {
      return await opening;
    } finally {
      this.#opening.delete(name);
    }
  }

  async #open(name: string): Promise<View> {
    const head = this.#head;
    const raw = await this.reading((view) => view.raw.snapshotOpen(name), head);
    let view: View;
    try {
      view = await this.reading(() => new View(raw, name), head);
    } catch (error) {
      raw.free();
      throw error;
    }
    if (this.#closed || head !== this.#head) {
      view.free();
      throw aborted();
    }
    this.#views.set(name, view);
    for (const [old, other] of this.#views) {
      if (this.#views.size <= KEPT_VIEWS) break;
      if (other === this.#shown || other === view) continue;
      this.forget(old);
    }
    return view;
  }

  async show(name: string | null): Promise<void> {
    this.#shown = await this.view(name);
    this.onViews();
    this.tell({ type: 'files' });
  }

  /** Lets go of the view of a snapshot. */
  forget(name: string): void {
    const view = this.#views.get(name);
    if (view === undefined) return;
    this.#views.delete(name);
    if (this.#shown === view) this.#shown = this.#head;
    view.free();
    this.onViews();
  }

  /** Lets go of the views of all snapshots, and shows the present. */
  forgetAll(): void {
    this.#freeViews();
    this.onViews();
  }

  #freeViews(): void {
    this.#shown = this.#head;
    for (const view of this.#views.values()) view.free();
    this.#views.clear();
  }

  // ---- the end

  /**
   * Writes everything and lets go of the map. Work that is under way ends with 'ABORTED'.
   *
   * What cannot be made durable is not let go of: this fails then, and the map stays open, unless
   * `force` says that it may be lost.
   */
  async close(force = false): Promise<void> {
    this.#closing = true;
    try {
      await this.#turns.take(() => this.#close(force));
    } finally {
      this.#closing = false;
    }
  }

  async #close(force: boolean): Promise<void> {
    if (this.#closed) return;
    try {
      this.#sync();
    } catch (error) {
      if (!force) throw error;
    }
    this.#closed = true;
    this.#stopTimers();
    this.onViews();
    this.#freeViews();
    let clean = false;
    try {
      // Nobody sees the picture of a map in memory once it is closed.
      if (this.backing.kept) this.#head.raw.close();
      clean = true;
    } catch {
      // All of it is in the log, from where the next visit takes it.
    } finally {
      this.#head.free();
      await this.backing.release(clean);
    }
  }

  #stopTimers(): void {
    clearTimeout(this.#syncTimer);
    clearTimeout(this.#idleTimer);
  }
}

/** Runs `action` with what is here; `whole` says whether it needed more, which is not fetched. */
export function peek<T>(remote: Remote | undefined, action: () => T): { value: T; whole: boolean } {
  if (remote === undefined) return { value: action(), whole: true };
  const end = (): boolean => {
    const lacked = remote.settle();
    if (lacked) remote.forgetMissing();
    return !lacked;
  };
  remote.collect();
  let value: T;
  try {
    value = action();
  } catch (error) {
    end();
    throw error;
  }
  return { value, whole: end() };
}

/** What `action` gives when nothing was lacking; undefined when something has to be fetched first. */
function attempt<T>(remote: Remote, action: () => T): { value: T } | undefined {
  remote.collect();
  let value: T;
  try {
    value = action();
  } catch (error) {
    if (remote.settle()) return undefined;
    throw error;
  }
  // What was lacking may have been passed over: the result would be another than with it.
  if (!remote.settle()) return { value };
  discard(value);
  return undefined;
}

/** Lets go of an engine object that nobody will use. */
function discard(value: unknown): void {
  if (value instanceof EngineMap) value.free();
}

/** Tries `action` until everything it needs of a remote storage is here. */
export async function readingWith<T>(
  remote: Remote | undefined,
  action: () => T,
  fetched: (bytes: number) => void = () => undefined,
): Promise<T> {
  for (let round = 0; remote !== undefined && round < ROUNDS; round += 1) {
    const outcome = attempt(remote, action);
    if (outcome !== undefined) return outcome.value;
    fetched(await remote.fetchMissing());
  }
  return action();
}
