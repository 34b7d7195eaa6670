/**
 * The engine: what the page can ask for, put together from its parts. Those that a first look does
 * without are loaded when they are asked for.
 */
import * as Comlink from 'comlink';

import wasmUrl from 'aetherflow-wasm/aetherflow_bg.wasm?url';
import type {
  Engine,
  EngineEvent,
  OnProgress,
  OpenMap,
  Recording,
  Source,
  TileRequest,
} from '../engine/contract';
import { init, version } from './engine-types';
import * as files from './files';
import { createMap, openSource, type Opened } from './open';
import { Turns } from './pace';
import { explainFully, nothingOpen, problem } from './problems';
import type { Session } from './session';
import * as snapshots from './snapshots';
import { Keeper } from './storage/keeper';
import { forgetImport } from './unfinished';

/** Makes every failure a problem in words. */
function guarded<A extends unknown[], R>(
  call: (...args: A) => Promise<R>,
): (...args: A) => Promise<R> {
  return async (...args) => {
    try {
      return await call(...args);
    } catch (error) {
      throw await explainFully(error);
    }
  };
}

type Calls = Record<string, (...args: never[]) => Promise<unknown>>;

export function createEngine(): Engine {
  const engine = new WorkerEngine();
  const methods: Calls = {};
  const prototype = WorkerEngine.prototype as unknown as Calls;
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const method = prototype[name];
    if (name !== 'constructor' && method !== undefined) {
      methods[name] = guarded(method.bind(engine) as (...args: unknown[]) => Promise<unknown>);
    }
  }
  return methods as unknown as Engine;
}

class WorkerEngine implements Engine {
  #keeper: Promise<Keeper> | undefined;
  #listener: ((event: EngineEvent) => void) | undefined;
  #started: ReturnType<Engine['start']> | undefined;
  #open: Opened | undefined;
  /** Opening and closing, one after another. */
  readonly #turns = new Turns();

  readonly #tell = (event: EngineEvent): void => {
    // Across threads this is a promise, which fails when the page has gone.
    const told = this.#listener?.(event) as unknown;
    if (told instanceof Promise) told.catch(() => undefined);
  };

  get #files(): Promise<Keeper> {
    return (this.#keeper ??= Keeper.start());
  }

  get #now(): Opened {
    if (this.#open === undefined || this.#open.session.closed) throw nothingOpen();
    return this.#open;
  }

  get #session(): Session {
    return this.#now.session;
  }

  /** The open map, for changing what the visitor sees of it. */
  get #changeable(): Opened {
    const open = this.#now;
    open.session.checkPresent();
    return open;
  }

  // ---- starting, opening and closing

  async start() {
    this.#started ??= this.#load();
    return this.#started;
  }

  async #load() {
    try {
      await init({ module_or_path: new URL(wasmUrl, import.meta.url) });
    } catch (error) {
      this.#started = undefined;
      throw problem(
        'EIO',
        'no-engine',
        'The engine could not be loaded.',
        'Check the connection and reload the page; the browser must be able to run WebAssembly with SIMD.',
        error,
      );
    }
    return version();
  }

  listen(listener: (event: EngineEvent) => void): Promise<void> {
    this.#listener = listener;
    return Promise.resolve();
  }

  async keeping() {
    return (await this.#files).keeping();
  }

  async storedMaps() {
    return (await this.#files).list();
  }

  async deleteStored(name: string): Promise<void> {
    const keeper = await this.#files;
    await this.#turns.take(async () => {
      const open = this.#open?.session.backing;
      // What is going to be deleted need not be saved before.
      if (open?.kind === 'stored' && open.address === name) await this.#close(true);
      await keeper.delete(name);
    });
  }

  open(source: Source, onProgress?: OnProgress): Promise<OpenMap> {
    return this.#turns.take(async () => {
      await this.start();
      const open = this.#open?.session;
      if (
        source.kind === 'stored' &&
        open?.backing.kind === 'stored' &&
        open.backing.address === source.name
      ) {
        // Its files are held by this very worker.
        await open.sync();
        return open.describe();
      }
      await open?.sync();
      const opened = await openSource(source, await this.#files, this.#tell, onProgress);
      return this.#replaceBy(opened);
    });
  }

  create(name: string, expectedBytes = 0): Promise<OpenMap> {
    return this.#turns.take(async () => {
      await this.start();
      await this.#open?.session.sync();
      const keeper = await this.#files;
      const opened = await createMap(name, expectedBytes, keeper, this.#tell);
      return this.#replaceBy(opened, keeper);
    });
  }

  editCopy(name: string, onProgress?: OnProgress): Promise<OpenMap> {
    return this.#turns.take(async () => {
      const keeper = await this.#files;
      const { copyMap } = await import('./save');
      const backing = await copyMap(this.#session, keeper, name, onProgress);
      const source: Source = { kind: 'stored', name: backing.address };
      const opened = await openSource(source, keeper, this.#tell, undefined, backing);
      return this.#replaceBy(opened, keeper);
    });
  }

  close(force?: boolean): Promise<void> {
    return this.#turns.take(() => this.#close(force));
  }

  /** @param maker who keeps it, where it was made just now: unless it is opened, it was never there */
  async #replaceBy(opened: Opened, maker?: Keeper): Promise<OpenMap> {
    try {
      await this.#close();
    } catch (error) {
      const { backing } = opened.session;
      await opened.session.close(true).catch(() => undefined);
      if (backing.kept) await maker?.delete(backing.address).catch(() => undefined);
      throw error;
    }
    this.#open = opened;
    opened.begin();
    return opened.session.describe();
  }

  /** Closes the open map, which stays open where that would lose something. */
  async #close(force?: boolean): Promise<void> {
    const open = this.#open;
    try {
      await open?.session.close(force);
    } finally {
      if (open?.session.closed === true) this.#open = undefined;
    }
  }

  async acceptUnfinished() {
    await this.#session.changing('places', forgetImport);
    await this.#session.sync();
  }

  // ---- the map as a whole

  async info() {
    return this.#session.reading(({ raw }) => raw.info(), this.#session.head);
  }

  async verify(deep: boolean, onProgress?: OnProgress) {
    const { session, plane } = this.#now;
    const { verify } = await import('./scratch');
    return verify(session, plane, deep, onProgress);
  }

  async save(form: 'live' | 'packed', onProgress?: OnProgress) {
    const { save } = await import('./save');
    return save(this.#session, await this.#files, form, onProgress);
  }

  async sync() {
    await this.#open?.session.sync();
  }

  // ---- the plane

  async tile(request: TileRequest) {
    const tile = await this.#now.plane.tile(request);
    return Comlink.transfer(tile, [tile.bitmap]);
  }

  async overlayTile(...[overlay, request]: Parameters<Engine['overlayTile']>) {
    const bitmap = await this.#now.plane.overlay(overlay, request);
    return bitmap && Comlink.transfer(bitmap, [bitmap]);
  }

  async legend(...[layer, theme]: Parameters<Engine['legend']>) {
    return this.#now.plane.legend(layer, theme);
  }

  async hit(x: number, y: number) {
    return this.#now.plane.hit(x, y);
  }

  async pixels(x: number, y: number, width: number, height: number) {
    return this.#now.plane.pixels(x, y, width, height);
  }

  async mark(path: string | null) {
    await this.#now.plane.mark(path);
  }

  async readIndex() {
    this.#now.plane.readIndex();
    return Promise.resolve();
  }

  // ---- files

  async list(path: string) {
    return files.list(this.#session, path);
  }

  async details(path: string) {
    return files.details(this.#session, path);
  }

  async read(path: string, offset: number, length: number) {
    const { session, heat } = this.#now;
    const bytes = await files.read(session, path, offset, length);
    heat.noted(path, offset, bytes.length);
    return Comlink.transfer(bytes, [bytes.buffer]);
  }

  async search(text: string, limit: number) {
    return files.search(this.#session, text, limit);
  }

  async write(path: string, bytes: Uint8Array) {
    const { session } = this.#changeable;
    await files.write(session, path, bytes);
    await session.sync();
  }

  async makeDirectory(path: string) {
    const { session } = this.#changeable;
    await files.makeDirectory(session, path);
    await session.sync();
  }

  async rename(from: string, to: string) {
    const { session } = this.#changeable;
    await files.rename(session, from, to);
    await session.sync();
  }

  async remove(path: string) {
    const { session } = this.#changeable;
    await session.inBulk(() => files.remove(session, path));
    await session.sync();
  }

  async import(...[directory, feed, onProgress]: Parameters<Engine['import']>) {
    const { session } = this.#changeable;
    const { importFiles } = await import('./import');
    return session.inBulk(() => importFiles(session, directory, feed, onProgress));
  }

  async export(path: string, onProgress?: OnProgress) {
    const { exportPath } = await import('./export');
    return exportPath(this.#session, await this.#files, path, onProgress);
  }

  async place(path: string, distance: number) {
    const { session, plane } = this.#changeable;
    await session.inBulk(() => plane.place(path, distance));
  }

  async unplace(path: string) {
    const { session, plane } = this.#changeable;
    await session.inBulk(() => plane.place(path, undefined));
  }

  // ---- snapshots

  async snapshots() {
    return snapshots.snapshots(this.#session);
  }

  async createSnapshot(name: string, note: string) {
    const session = this.#session;
    const made = await snapshots.createSnapshot(session, name, note);
    await session.sync();
    return made;
  }

  async deleteSnapshot(name: string) {
    await snapshots.deleteSnapshot(this.#session, name);
  }

  async rollBack(name: string) {
    return snapshots.rollBack(this.#session, name);
  }

  async view(snapshot: string | null) {
    await this.#session.show(snapshot);
  }

  async compare(before: string | null, after: string | null) {
    return this.#now.plane.compare(before, after);
  }

  // ---- heat

  async startRecording() {
    this.#now.heat.startRecording();
    return Promise.resolve();
  }

  async stopRecording() {
    return Promise.resolve(this.#now.heat.stopRecording());
  }

  async replay(recording: Recording, speed: number, onProgress?: OnProgress) {
    await this.#now.heat.replay(recording, speed, onProgress);
  }

  async stopReplay() {
    this.#open?.heat.stopReplay();
    return Promise.resolve();
  }

  async scratch(points: [number, number][], radius: number) {
    const { session, plane } = this.#changeable;
    const { scratch } = await import('./scratch');
    return scratch(session, plane, points, radius);
  }
}
