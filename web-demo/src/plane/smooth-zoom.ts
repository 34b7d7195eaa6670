/**
 * Zooming frame by frame round a point that stays where it is: wheel, keys, buttons, double click.
 *
 * The library zooms by steps with a CSS transition; a wheel or a trackpad deserves better, and what
 * is drawn over the tiles has to move with them in every frame.
 */
import { clamp } from './geometry';
import { at, L, type InnerMap } from './leaflet';

/** Zoom levels for one pixel of the wheel. A notch is about 100: a bit more than half a level. */
const WHEEL = 1 / 170;
/** A trackpad's pinch comes as wheel events with ctrl, much finer. */
const PINCH = 1 / 60;
/** Time in which two thirds of the rest of the way is gone. */
const EASE = 70;

export class SmoothZoom {
  private goal: number;
  private anchor: { x: number; y: number } = { x: 0, y: 0 };
  /** Kept apart from the map's, which is rounded to screen pixels and would drift. */
  private center: { x: number; y: number } = { x: 0, y: 0 };
  private zoom = 0;
  private frame = 0;
  private last = 0;
  private readonly onWheel = (event: WheelEvent): void => this.wheel(event);

  constructor(
    private readonly map: L.Map,
    private readonly jump: () => boolean,
  ) {
    this.goal = map.getZoom();
    map.getContainer().addEventListener('wheel', this.onWheel, { passive: false });
    map.on('mousedown touchstart', () => this.stop());
  }

  dispose(): void {
    this.stop();
    this.map.getContainer().removeEventListener('wheel', this.onWheel);
  }

  private wheel(event: WheelEvent): void {
    // A card with its own scroll bar keeps its wheel.
    if (event.target instanceof Element && event.target.closest('[data-scrolls]') !== null) return;
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 33 : event.deltaMode === 2 ? 400 : 1;
    const step = clamp(event.deltaY * unit * (event.ctrlKey ? PINCH : WHEEL), -1.2, 1.2);
    if (step === 0) return;
    const box = this.map.getContainer().getBoundingClientRect();
    this.by(-step, { x: event.clientX - box.left, y: event.clientY - box.top });
  }

  /** Zooms by so many levels round a point of the container. */
  by(levels: number, anchor: { x: number; y: number }): void {
    const from = this.frame === 0 ? this.map.getZoom() : this.goal;
    this.goal = clamp(from + levels, this.map.getMinZoom(), this.map.getMaxZoom());
    this.anchor = anchor;
    if (this.frame === 0) {
      if (Math.abs(this.goal - this.map.getZoom()) < 1e-6) return;
      this.inner._stop();
      this.inner._moveStart(true, false);
      const { lat, lng } = this.map.getCenter();
      this.center = { x: lng, y: lat };
      this.zoom = this.map.getZoom();
      this.last = performance.now();
      this.frame = requestAnimationFrame((now) => this.step(now));
    }
  }

  /** Stays where it is now. */
  stop(): void {
    if (this.frame === 0) return;
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.inner._moveEnd(true);
  }

  private step(now: number): void {
    const { zoom } = this;
    const passed = clamp(now - this.last, 1, 64);
    this.last = now;
    const rest = this.goal - zoom;
    const done = this.jump() || Math.abs(rest) < 0.004;
    this.move(done ? this.goal : zoom + rest * (1 - Math.exp(-passed / EASE)), !done);
    if (done) {
      this.frame = 0;
      this.inner._moveEnd(true);
    } else {
      this.frame = requestAnimationFrame((next) => this.step(next));
    }
  }

  private move(zoom: number, underWay: boolean): void {
    const { anchor, center } = this;
    const size = this.map.getSize();
    const grown = 1 / 2 ** this.zoom - 1 / 2 ** zoom;
    this.center = {
      x: center.x + (anchor.x - size.x / 2) * grown,
      y: center.y + (anchor.y - size.y / 2) * grown,
    };
    this.zoom = zoom;
    // Told that it is a flight, the tiles only scale and load; the last frame also tidies up.
    this.inner._move(
      at(this.center.x, this.center.y),
      zoom,
      underWay ? { flyTo: true } : undefined,
    );
  }

  private get inner(): InnerMap {
    return this.map as unknown as InnerMap;
  }
}
