/** The slippy map: its camera, how it moves, and how the page's signals and it agree. */
import { batch, effect } from '@preact/signals';

import { heed } from '../state/heed';
import { importing } from '../state/importing';
import { layout } from '../state/map';
import { camera, flight, type Bounds, type Camera } from '../state/view';
import { covered, free } from './current';
import { clamp } from './geometry';
import { at, jumpTo, L, PLANE } from './leaflet';
import { SmoothZoom } from './smooth-zoom';
import { MAX_ZOOM, MIN_ZOOM } from './zoom-limits';

const PADDING = 28;
/** A flight ends no nearer than this: a file of one cluster fills the middle, not the screen. */
const FLIGHT_MAX_ZOOM = 2.5;

/** How long after a map has come its views are jumped to, not flown to. */
const ARRIVAL = 1200;

const calm = matchMedia('(prefers-reduced-motion: reduce)');
export const motionReduced = (): boolean => calm.matches;

export interface Insets {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export class Chart {
  readonly map: L.Map;
  readonly zoomer: SmoothZoom;
  private readonly disposers: (() => void)[] = [];
  private arrival = performance.now();
  /** The shell says in CSS what its panels cover; this element is what they leave. */
  private readonly between = document.createElement('div');
  private covers: Insets = { left: 0, right: 0, top: 0, bottom: 0 };
  /** The camera that showed the whole plane last. */
  private whole: Camera | null = null;

  constructor(readonly element: HTMLElement) {
    this.map = L.map(element, {
      crs: PLANE,
      minZoom: MIN_ZOOM,
      maxZoom: MAX_ZOOM,
      zoomSnap: 0,
      // Every zoom runs frame by frame, so that what is drawn over the tiles moves with them.
      zoomAnimation: false,
      fadeAnimation: false,
      scrollWheelZoom: false,
      doubleClickZoom: false,
      boxZoom: false,
      keyboard: false,
      zoomControl: false,
      attributionControl: false,
      inertia: !motionReduced(),
      bounceAtZoomLimits: false,
    });
    this.map.setView(at(camera.peek().x, camera.peek().y), camera.peek().zoom, { animate: false });
    this.zoomer = new SmoothZoom(this.map, motionReduced);
    this.map.on('move zoom', () => this.publish());
    this.map.on('moveend', () => this.keepInSight());

    this.between.className = 'plane-free';
    element.append(this.between);
    const resized = new ResizeObserver(() => this.measure());
    resized.observe(element);
    resized.observe(this.between);
    this.measure();
    this.disposers.push(
      () => resized.disconnect(),
      effect(() => {
        heed(covered.value);
        if (this.showsWhole()) queueMicrotask(() => this.fly('whole'));
      }),
      effect(() => {
        // Who sees all of a map that grew sees all of it again, once what came in is in.
        const grown = layout.value;
        if (importing.value !== null || grown === null || !this.showsWhole()) return;
        const next = this.fitting(grown, MAX_ZOOM);
        if (Math.abs(next.zoom - camera.peek().zoom) > 1e-3)
          queueMicrotask(() => this.fly('whole'));
      }),
      effect(() => {
        const wanted = flight.value;
        // Before there is a layout there is no whole to fly to; the wish stays until then.
        if (wanted === null || layout.value === null) return;
        queueMicrotask(() => {
          if (flight.peek() !== wanted) return;
          batch(() => (flight.value = null));
          this.fly(wanted);
        });
      }),
    );
  }

  dispose(): void {
    for (const dispose of this.disposers) dispose();
    this.zoomer.dispose();
    this.map.remove();
  }

  // ---- where things are

  /** Screen position, in the container, of the plane's origin; rounded as the tiles are. */
  origin(): L.Point {
    return L.DomUtil.getPosition(this.map.getPane('mapPane') as HTMLElement).subtract(
      this.map.getPixelOrigin(),
    );
  }

  scale(): number {
    return 2 ** this.map.getZoom();
  }

  toPlane(point: { x: number; y: number }): { x: number; y: number } {
    const origin = this.origin();
    const scale = this.scale();
    return { x: (point.x - origin.x) / scale, y: (point.y - origin.y) / scale };
  }

  toScreen(x: number, y: number): { x: number; y: number } {
    const origin = this.origin();
    const scale = this.scale();
    return { x: x * scale + origin.x, y: y * scale + origin.y };
  }

  /** The point of the container under a pointer event. */
  pointOf(event: { clientX: number; clientY: number }): { x: number; y: number } {
    const box = this.element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  /** The part of the plane that is on screen. */
  view(): Bounds {
    const size = this.map.getSize();
    const corner = this.toPlane({ x: 0, y: 0 });
    const opposite = this.toPlane(size);
    return { left: corner.x, top: corner.y, right: opposite.x, bottom: opposite.y };
  }

  /** What the panels cover at each side. */
  insets(): Insets {
    return this.covers;
  }

  /** The container or its panels have another size: who sees the whole plane goes on seeing it. */
  private measure(): void {
    const { x, y, zoom } = camera.peek();
    const seesWhole = this.showsWhole();
    this.map.invalidateSize({ pan: false, animate: false });
    const all = this.element.getBoundingClientRect();
    const inner = this.between.getBoundingClientRect();
    this.covers = {
      left: inner.left - all.left,
      right: all.right - inner.right,
      top: inner.top - all.top,
      bottom: all.bottom - inner.bottom,
    };
    free.value = { width: inner.width, height: inner.height };
    this.limitZoom();
    if (seesWhole) this.fly('whole', true);
    else jumpTo(this.map, at(x, y), zoom);
  }

  /** Whether the camera is still where it was put for the whole plane, to a pixel. */
  private showsWhole(): boolean {
    const { whole } = this;
    const now = camera.peek();
    if (whole === null || Math.abs(whole.zoom - now.zoom) > 1e-4) return false;
    return Math.hypot(whole.x - now.x, whole.y - now.y) * this.scale() < 2;
  }

  /** The middle of what no panel covers. */
  middle(): { x: number; y: number } {
    const size = this.map.getSize();
    const { left, right, top, bottom } = this.insets();
    return { x: (left + size.x - right) / 2, y: (top + size.y - bottom) / 2 };
  }

  // ---- going places

  fly(wanted: { bounds: Bounds } | { camera: Camera } | 'whole', jump = false): void {
    if (wanted === 'whole') {
      const whole = layout.peek();
      if (whole === null) return;
      const wantedCamera = this.fitting(whole, MAX_ZOOM);
      this.go(wantedCamera, jump);
      this.whole = wantedCamera;
    } else if ('camera' in wanted) {
      this.go(wanted.camera, jump);
    } else {
      this.go(this.fitting(wanted.bounds, FLIGHT_MAX_ZOOM), jump);
    }
  }

  /** The camera that shows these bounds in what no panel covers. */
  private fitting(bounds: Bounds, maxZoom: number): Camera {
    const size = this.map.getSize();
    const { left, top, bottom, ...insets } = this.insets();
    const right = insets.right + covered.peek();
    const width = Math.max(size.x - left - right - 2 * PADDING, 40);
    const height = Math.max(size.y - top - bottom - 2 * PADDING, 40);
    const zoom = clamp(
      Math.log2(
        Math.min(
          width / Math.max(bounds.right - bounds.left, 1),
          height / Math.max(bounds.bottom - bounds.top, 1),
        ),
      ),
      MIN_ZOOM,
      maxZoom,
    );
    const scale = 2 ** zoom;
    return {
      x: (bounds.left + bounds.right) / 2 + (right - left) / 2 / scale,
      y: (bounds.top + bounds.bottom) / 2 + (bottom - top) / 2 / scale,
      zoom,
    };
  }

  private go(to: Camera, jump: boolean): void {
    this.zoomer.stop();
    const center = at(to.x, to.y);
    const zoom = clamp(to.zoom, MIN_ZOOM, MAX_ZOOM);
    const size = this.map.getSize();
    const arriving = performance.now() - this.arrival < ARRIVAL;
    if (jump || arriving || motionReduced() || size.x === 0 || document.hidden) {
      jumpTo(this.map, center, zoom);
    } else {
      this.map.flyTo(center, zoom, { duration: this.flightSeconds(to, size) });
    }
  }

  /** Longer for a longer way, but never long. */
  private flightSeconds(to: Camera, size: L.Point): number {
    const from = camera.peek();
    const steps = Math.abs(to.zoom - from.zoom);
    const scale = 2 ** Math.min(to.zoom, from.zoom);
    const screens = (Math.hypot(to.x - from.x, to.y - from.y) * scale) / Math.max(size.x, 1);
    return clamp(0.3 + steps * 0.09 + screens * 0.25, 0.3, 1.2);
  }

  /** Another map has come: the next flights are not from anywhere. */
  arrive(): void {
    this.arrival = performance.now();
  }

  /** Nothing is to be seen from much farther out than where the whole is seen. */
  limitZoom(): void {
    const whole = layout.peek();
    if (whole === null) return;
    this.map.setMinZoom(clamp(Math.floor(this.fitting(whole, 0).zoom) - 1, MIN_ZOOM, 0));
  }

  /** Whether all of the plane is in view, under no panel. */
  seesWhole(): boolean {
    const whole = layout.peek();
    if (whole === null) return true;
    const size = this.map.getSize();
    const { left, right, top, bottom } = this.insets();
    const corner = this.toPlane({ x: left - 4, y: top - 4 });
    const opposite = this.toPlane({ x: size.x - right + 4, y: size.y - bottom + 4 });
    return (
      corner.x <= whole.left &&
      corner.y <= whole.top &&
      opposite.x >= whole.right &&
      opposite.y >= whole.bottom
    );
  }

  /** Puts a point of the plane where the crosshair is. */
  putInMiddle(x: number, y: number): void {
    this.zoomer.stop();
    const middle = this.middle();
    const size = this.map.getSize();
    const scale = this.scale();
    const center = at(x + (size.x / 2 - middle.x) / scale, y + (size.y / 2 - middle.y) / scale);
    jumpTo(this.map, center, this.map.getZoom());
  }

  /** Moves the view by screen pixels. */
  pan(dx: number, dy: number): void {
    this.zoomer.stop();
    this.map.panBy([dx, dy], { animate: !motionReduced(), duration: 0.18 });
  }

  private publish(): void {
    const { lat, lng } = this.map.getCenter();
    camera.value = { x: lng, y: lat, zoom: this.map.getZoom() };
  }

  /** Nobody gets lost: the middle of the view stays near the sheets. */
  private keepInSight(): void {
    const whole = layout.peek();
    if (whole === null) return;
    const { x, y } = this.toPlane(this.middle());
    const margin = Math.max(whole.right - whole.left, whole.bottom - whole.top) / 4;
    const dx = clamp(x, whole.left - margin, whole.right + margin) - x;
    const dy = clamp(y, whole.top - margin, whole.bottom + margin) - y;
    const scale = this.scale();
    if (Math.abs(dx * scale) < 1 && Math.abs(dy * scale) < 1) return;
    // Beyond what a pan can animate, it jumps.
    this.map.panBy([dx * scale, dy * scale], { animate: !motionReduced(), duration: 0.4 });
  }
}
