/** The plane as the page sees it: tiles, what lies where, and what is marked or compared on it. */
import type {
  Comparison,
  EngineEvent,
  Hit,
  Layer,
  Legend,
  Overlay,
  Theme,
  Tile,
  TileRequest,
} from '../engine/contract';
import { tidyPath, walk } from './files';
import { TYPE } from './gate';
import { Indexer } from './indexing';
import { Pace } from './pace';
import { peek, type Session } from './session';
import { bitmapOf, imageAt, TileQueue } from './tiles';
import type { View } from './view';

/** Sheets of a map whose table is too much to be read at once. */
const LARGE = 64;
/** Changes that are listed; the layer shows all. */
const CHANGES = 5000;

type Area = NonNullable<Extract<EngineEvent, { type: 'plane' }>['area']>;

export class PlaneKeeper {
  readonly #session: Session;
  readonly #tiles: TileQueue;
  readonly #indexer: Indexer;
  /** What the layer `changes` shows. */
  #compared: View | undefined;
  #marked: string | null = null;
  #damaged = new Float64Array();

  constructor(session: Session) {
    this.#session = session;
    const painted = (): void => this.tell();
    this.#tiles = new TileQueue(session, ({ layer }) => this.#viewFor(layer), painted);
    this.#indexer = new Indexer(session, painted);
    session.onPlane = () => this.#changed();
    session.onViews = () => this.#viewsChanged();
    session.onHeat = () => session.shown.plane.refresh();
  }

  /** Starts reading the index. */
  begin(): void {
    this.#indexer.start(this.#session.shown);
  }

  #viewFor(layer: string): View {
    const compared = layer === 'changes' ? this.#compared : undefined;
    return compared === undefined || compared.closed ? this.#session.shown : compared;
  }

  /** Has the page paint the plane again. */
  tell(area?: Area): void {
    const session = this.#session;
    if (session.closed) return;
    const layout = session.shown.plane.layout();
    session.tell({ type: 'plane', layout, ...(area === undefined ? {} : { area }) });
  }

  /** Something of the present has changed. */
  #changed(): void {
    const { shown, head } = this.#session;
    head.plane.refresh();
    if (shown === head) this.#indexer.follow(head);
    this.tell();
  }

  #viewsChanged(): void {
    const session = this.#session;
    if (session.closed) {
      this.#indexer.stop();
      this.#tiles.clear();
      return;
    }
    if (this.#compared?.closed === true) this.#compared = undefined;
    const { shown } = session;
    if (shown === session.head) shown.plane.refresh();
    shown.plane.damaged(this.#damaged);
    void this.mark(this.#marked).catch(() => undefined);
    this.#indexer.start(shown);
    this.tell();
  }

  // ---- painting

  tile(request: TileRequest): Promise<Tile> {
    return this.#tiles.request(request);
  }

  async overlay(overlay: Overlay, request: TileRequest): Promise<ImageBitmap | undefined> {
    const { theme, zoom, column, row, size } = request;
    const image = await this.#session.reading(({ plane }) => {
      const address = plane.paintOverlay(overlay, theme, zoom, column, row, size);
      return address === 0 ? undefined : imageAt(plane.memory, address, size);
    });
    return image && bitmapOf(image);
  }

  async legend(layer: Layer, theme: Theme): Promise<Legend> {
    const view = this.#viewFor(layer);
    // Of a remote map what is here is counted: nobody has asked for the rest of the table. Of a
    // large one too, since reading it is on its way for the tiles.
    const { remote } = this.#session.backing;
    const known = remote !== undefined || view.plane.layout().sheets > LARGE;
    const count = ({ plane }: View): Omit<Legend, 'layer'> => plane.legend(layer, theme, known);
    const legend = await this.#session.reading(count, view);
    return { layer, ...legend };
  }

  // ---- pointing

  async hit(x: number, y: number): Promise<Hit> {
    const view = this.#session.shown;
    this.#session.check(view);
    // A pointer that passes over a remote map fetches no data, only what says whose it is.
    const { value, whole } = peek(this.#session.backing.remote, () => {
      try {
        return named(view.plane.hit(x, y, true));
      } catch (error) {
        return { error };
      }
    });
    if (!('error' in value)) {
      if (whole) return value;
    } else if (whole) throw value.error;
    return this.#session.reading(({ plane }) => named(plane.hit(x, y, false)), view);
  }

  pixels(x: number, y: number, width: number, height: number): Promise<Uint8Array> {
    return this.#session.reading(({ plane }) => plane.pixels(x, y, width, height));
  }

  // ---- marking

  async mark(path: string | null): Promise<void> {
    this.#marked = path;
    const session = this.#session;
    const view = session.shown;
    const inodes: number[] = [];
    if (path !== null) {
      const tidy = tidyPath(path);
      const top = await session.reading(
        ({ gate }) => gate.stat(tidy === '/' ? gate.root : gate.resolve(tidy)),
        view,
      );
      inodes.push(top.ino);
    }
    session.check(view);
    if (this.#marked === path) view.plane.select(Float64Array.from(inodes));
  }

  markDamaged(clusters: Iterable<number>): void {
    this.#damaged = Float64Array.from(clusters);
    this.#session.shown.plane.damaged(this.#damaged);
    this.tell();
  }

  // ---- comparing

  readIndex(): void {
    this.#tiles.all = true;
    this.#indexer.allowAll();
    this.tell();
  }

  async compare(before: string | null, after: string | null): Promise<Comparison> {
    const session = this.#session;
    const base = await session.view(before);
    const state = await session.view(after);
    const previous = this.#compared;
    if (previous !== undefined && !previous.closed && previous !== state) {
      previous.plane.compareWith(undefined);
    }
    this.#compared = state;
    state.plane.refresh();
    await session.reading(({ plane }) => plane.compareWith(base.raw), state);
    const pace = new Pace();
    for (let complete = false; !complete;) {
      ({ complete } = await session.reading(({ plane }) => plane.index(512), state));
      // A present that goes on changing is never known as a whole; the list does not need that.
      if (session.bulk > 0) break;
      await pace.step();
    }
    const found = await session.reading(({ plane }) => plane.changes(CHANGES), state);
    this.tell();
    return { before, after, ...found };
  }

  // ---- places

  /** Places a file, or all files below a directory; undefined gives them back to the rules. */
  async place(given: string, distance: number | undefined): Promise<void> {
    const session = this.#session;
    const path = tidyPath(given);
    const { head } = session;
    const importance = distance === undefined ? -1 : head.plane.importanceAt(distance);
    const top = await session.reading(
      ({ gate }) => gate.stat(path === '/' ? gate.root : gate.resolve(path)),
      head,
    );
    const move = (ino: number, isFile: boolean): Promise<void> =>
      session.changing(
        'places',
        ({ raw }) => {
          raw.setImportance(ino, importance);
          if (isFile) raw.relocate(ino);
        },
        head,
      );
    const type = top.mode >> 12;
    if (path !== '/') await move(top.ino, type === TYPE.file);
    if (type !== TYPE.directory) return;
    const pace = new Pace();
    for await (const entry of walk(session, head, top.ino)) {
      await move(entry.ino, entry.type === TYPE.file);
      await pace.step();
    }
  }
}

/** Without the files that have no name yet: they are still on their way in. */
function named(hit: Hit): Hit {
  const files = hit.files?.filter(({ path }) => path !== '');
  const nameless = (hit.files?.length ?? 0) - (files?.length ?? 0);
  if (files === undefined || nameless === 0) return hit;
  return { ...hit, files, fileCount: Math.max(files.length, (hit.fileCount ?? 0) - nameless) };
}
