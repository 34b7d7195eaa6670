/**
 * Everything drawn over the tiles, on one canvas as large as the view: drawn again in every frame
 * in which the map moves or one of the drawn things changes, and in no other.
 */
import type { Bounds } from '../state/view';
import type { Chart } from './chart';

export interface Inks {
  accent: string;
  accentInk: string;
  ground: string;
  ink: string;
  inkSoft: string;
  warn: string;
  mono: string;
  font: string;
}

export interface Frame {
  context: CanvasRenderingContext2D;
  width: number;
  height: number;
  /** Screen pixels of one plane pixel, and where the plane's origin is on screen. */
  scale: number;
  originX: number;
  originY: number;
  zoom: number;
  view: Bounds;
  inks: Inks;
  chart: Chart;
}

export type Painter = (frame: Frame) => void;

export class Front {
  private readonly canvas = document.createElement('canvas');
  private readonly context = this.canvas.getContext('2d');
  private readonly probe = document.createElement('span');
  private inks: Inks;
  private frame = 0;
  private readonly request = (): void => this.invalidate();

  constructor(
    private readonly chart: Chart,
    private readonly painters: readonly Painter[],
  ) {
    this.canvas.className = 'plane-front';
    this.canvas.setAttribute('aria-hidden', 'true');
    this.probe.hidden = true;
    chart.element.append(this.canvas, this.probe);
    this.inks = this.readInks();
    chart.map.on('move zoom resize moveend', this.request);
    this.invalidate();
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
    this.chart.map.off('move zoom resize moveend', this.request);
    this.canvas.remove();
    this.probe.remove();
  }

  invalidate(): void {
    if (this.frame !== 0) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  /** The colours of the page have changed. */
  recolour(): void {
    this.inks = this.readInks();
    this.invalidate();
  }

  private draw(): void {
    const { canvas, context, chart } = this;
    if (context === null) return;
    const { x: width, y: height } = chart.map.getSize();
    const dense = Math.min(devicePixelRatio, 2);
    if (
      canvas.width !== Math.round(width * dense) ||
      canvas.height !== Math.round(height * dense)
    ) {
      canvas.width = Math.round(width * dense);
      canvas.height = Math.round(height * dense);
    }
    context.setTransform(dense, 0, 0, dense, 0, 0);
    context.clearRect(0, 0, width, height);
    const { x: originX, y: originY } = chart.origin();
    const frame: Frame = {
      context,
      width,
      height,
      scale: chart.scale(),
      originX,
      originY,
      zoom: chart.map.getZoom(),
      view: chart.view(),
      inks: this.inks,
      chart,
    };
    for (const paint of this.painters) {
      context.save();
      paint(frame);
      context.restore();
    }
  }

  private readInks(): Inks {
    // A custom property may hold light-dark(); only a real colour property is resolved.
    const style = getComputedStyle(this.probe);
    const resolve = (name: string): string => {
      this.probe.style.color = `var(--${name})`;
      return style.color;
    };
    return {
      accent: resolve('accent'),
      accentInk: resolve('accent-ink'),
      ground: resolve('ground'),
      ink: resolve('ink'),
      inkSoft: resolve('ink-soft'),
      warn: resolve('warn'),
      mono: style.getPropertyValue('--mono') || 'monospace',
      font: style.getPropertyValue('--font') || 'sans-serif',
    };
  }
}
