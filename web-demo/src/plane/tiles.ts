/**
 * Tiles that the worker paints, as canvases that take its bitmaps over without a copy.
 *
 * A tile is painted again in place: its canvas keeps the old picture until the new one is there, so
 * a change of layer, theme or map never flickers.
 */
import { engine } from '../engine/client';
import type { Layer, Overlay, Theme, TileRequest } from '../engine/contract';
import { layout } from '../state/map';
import type { Bounds } from '../state/view';
import { intersects } from './geometry';
import { L, type InnerGrid, type InnerLevel, type InnerMap, type InnerTile } from './leaflet';
import { TileQueue, type TileJob } from './tile-queue';
import { MAX_ZOOM } from './zoom-limits';

export const TILE = 256;

const queue = new TileQueue();

/** On a dense screen the same square is asked for one zoom nearer, twice as large. */
function density(zoom: number): 0 | 1 {
  return devicePixelRatio >= 1.5 && zoom < MAX_ZOOM ? 1 : 0;
}

function requestFor(coords: L.Coords, layer: Layer, theme: Theme): TileRequest {
  const finer = density(coords.z);
  return {
    layer,
    theme,
    zoom: coords.z + finer,
    column: coords.x,
    row: coords.y,
    size: TILE << finer,
  };
}

function areaOf(coords: L.Coords): Bounds {
  const side = TILE / 2 ** coords.z;
  const left = coords.x * side;
  const top = coords.y * side;
  return { left, top, right: left + side, bottom: top + side };
}

interface Painted {
  bitmap: ImageBitmap | undefined;
  partial: boolean;
}

/** One tile's life: painted when it comes, painted again when what it shows has changed. */
class CanvasTile implements TileJob {
  readonly canvas = document.createElement('canvas');
  private readonly context = this.canvas.getContext('bitmaprenderer');
  partial = false;
  private gone = false;
  private underWay = false;
  private stale = false;

  constructor(
    readonly coords: L.Coords,
    private readonly grid: WorkerTiles,
    private ready: (() => void) | undefined,
  ) {
    this.canvas.width = this.canvas.height = TILE;
    this.canvas.className = 'plane-tile';
  }

  urgency(): number {
    return this.grid.urgency(this.coords);
  }

  repaint(): void {
    if (this.gone) return;
    if (this.underWay) this.stale = true;
    else queue.add(this);
  }

  /** What changed while it was being painted. */
  private catchUp(): void {
    if (this.stale) this.repaint();
  }

  remove(): void {
    this.gone = true;
    queue.drop(this);
  }

  async work(): Promise<void> {
    this.underWay = true;
    this.stale = false;
    try {
      const painted = await this.grid.paint(this.coords);
      if (this.gone) {
        painted.bitmap?.close();
        return;
      }
      this.partial = painted.partial;
      this.context?.transferFromImageBitmap(painted.bitmap ?? null);
    } catch {
      // The map was closed meanwhile, or the worker says by an event what is wrong.
    } finally {
      this.underWay = false;
      this.catchUp();
      this.ready?.();
      this.ready = undefined;
    }
  }
}

function place(tile: HTMLElement, coords: L.Coords, scale: number, origin: L.Point): void {
  const side = TILE * scale;
  const left = Math.round(coords.x * side - origin.x);
  const top = Math.round(coords.y * side - origin.y);
  const width = Math.round((coords.x + 1) * side - origin.x) - left;
  const height = Math.round((coords.y + 1) * side - origin.y) - top;
  tile.style.transform = `translate3d(${left}px, ${top}px, 0) scale(${width / TILE}, ${height / TILE})`;
}

/** Tiles of one kind. What is painted is up to the two kinds below. */
export abstract class WorkerTiles extends L.GridLayer {
  private readonly painters = new WeakMap<HTMLElement, CanvasTile>();
  /** How the tiles of each zoom lie now. */
  private readonly placed = new Map<number, { scale: number; origin: L.Point }>();
  /** Adds to the urgency: overlays come after what they lie on. */
  protected abstract readonly rank: number;

  constructor(pane: string, zooms: { min: number; max: number }) {
    super({
      pane,
      tileSize: TILE,
      minZoom: zooms.min,
      maxZoom: zooms.max,
      updateWhenIdle: false,
      updateWhenZooming: true,
      updateInterval: 60,
      keepBuffer: 1,
    });
    this.on('tileunload', ({ tile }) => this.painters.get(tile)?.remove());
    this.on('tileloadstart', ({ tile, coords }) => {
      const level = this.placed.get(coords.z);
      if (level !== undefined) place(tile, coords, level.scale, level.origin);
    });
  }

  /**
   * Every tile is put on whole screen pixels by itself, in place of scaling all of a level at once:
   * edges that fall between pixels would let the ground shine through as hairlines.
   */
  protected _setZoomTransform(level: InnerLevel, center: L.LatLng, zoom: number): void {
    const map = this._map as L.Map | undefined;
    if (map === undefined) return;
    const scale = map.getZoomScale(zoom, level.zoom);
    const origin = (map as unknown as InnerMap)._getNewPixelOrigin(center, zoom);
    L.DomUtil.setTransform(level.el, L.point(0, 0), 1);
    // Shrunk, pixels would be left out; enlarged, they stay squares.
    level.el.classList.toggle('shrunk', scale < 0.999);
    this.placed.set(level.zoom, { scale, origin });
    for (const { el, coords } of this.tiles()) {
      if (coords.z === level.zoom) place(el, coords, scale, origin);
    }
  }

  private tiles(): InnerTile[] {
    return Object.values((this as unknown as InnerGrid)._tiles ?? {});
  }

  abstract paint(coords: L.Coords): Promise<Painted>;

  override createTile(coords: L.Coords, done: L.DoneCallback): HTMLElement {
    const tile = new CanvasTile(coords, this, () => done(undefined, tile.canvas));
    this.painters.set(tile.canvas, tile);
    tile.repaint();
    return tile.canvas;
  }

  /** Nothing is asked for where there are no sheets. */
  protected _isValidTile(coords: L.Coords): boolean {
    const bounds = layout.peek();
    return bounds !== null && intersects(areaOf(coords), bounds);
  }

  urgency(coords: L.Coords): number {
    const { _tileZoom } = this as unknown as InnerGrid;
    const map = this._map as L.Map | undefined;
    if (map === undefined) return Infinity;
    const { lat, lng } = map.getCenter();
    const side = TILE / 2 ** coords.z;
    const away = Math.hypot((coords.x + 0.5) * side - lng, (coords.y + 0.5) * side - lat) / side;
    return away + this.rank + (coords.z === _tileZoom ? 0 : 1000);
  }

  /** Paints again what is on screen, in place: all, an area, or only what was painted in part. */
  repaint(which: { area?: Bounds; partial?: boolean } = {}): void {
    for (const { el, coords, current } of this.tiles()) {
      const tile = this.painters.get(el);
      if (tile === undefined || !current) continue;
      if (which.area !== undefined && !intersects(areaOf(coords), which.area)) continue;
      if (which.partial === true && !tile.partial) continue;
      tile.repaint();
    }
  }

  /** The plane has grown: tiles that were outside may be inside now. */
  extend(): void {
    if ((this._map as L.Map | undefined) !== undefined) (this as unknown as InnerGrid)._update();
  }
}

export class LayerTiles extends WorkerTiles {
  protected override readonly rank = 0;

  constructor(
    private readonly shown: () => { layer: Layer; theme: Theme },
    zooms: { min: number; max: number },
  ) {
    super('tilePane', zooms);
  }

  override async paint(coords: L.Coords): Promise<Painted> {
    const { layer, theme } = this.shown();
    return engine.tile(requestFor(coords, layer, theme));
  }
}

export class OverlayTiles extends WorkerTiles {
  protected override readonly rank = 4;

  constructor(
    private readonly overlay: Overlay,
    private readonly shown: () => { layer: Layer; theme: Theme },
    zooms: { min: number; max: number },
  ) {
    super(`${overlay}Pane`, zooms);
  }

  override async paint(coords: L.Coords): Promise<Painted> {
    const { layer, theme } = this.shown();
    const bitmap = await engine.overlayTile(this.overlay, requestFor(coords, layer, theme));
    return { bitmap, partial: false };
  }
}
