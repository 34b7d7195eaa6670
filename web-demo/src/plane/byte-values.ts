/** At the deepest zoom each pixel of the raw layer shows the four bytes it is, in hex. */
import { engine } from '../engine/client';
import { layer, theme, type Bounds } from '../state/view';
import type { Front, Frame } from './front';

/** Screen pixels a plane pixel needs before text fits into it. */
const READABLE = 48;
const MOST = 256;

interface Window {
  left: number;
  top: number;
  width: number;
  height: number;
  bytes: Uint8Array;
}

const HEX = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).toUpperCase().padStart(2, '0'),
);

export class ByteValues {
  private known: Window | undefined;
  private asking = false;
  private stale = false;
  front: Front | undefined;

  /** What was read is no longer what is there. */
  forget(): void {
    this.stale = true;
    this.front?.invalidate();
  }

  readonly paint = (frame: Frame): void => {
    if (layer.peek() !== 'raw' || frame.scale < READABLE) return;
    const { context, view, inks, scale, originX, originY } = frame;
    if (this.stale || !covers(this.known, view)) this.ask(view);
    const known = this.known;
    if (known === undefined) return;
    const ground = theme.peek() === 'dark' ? 12 : 250;
    const fontSize = Math.min(Math.floor(scale / 4.6), 14);
    context.font = `${fontSize}px ${inks.mono}`;
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    const left = Math.max(Math.floor(view.left), known.left);
    const top = Math.max(Math.floor(view.top), known.top);
    const right = Math.min(Math.ceil(view.right), known.left + known.width);
    const bottom = Math.min(Math.ceil(view.bottom), known.top + known.height);
    for (let y = top; y < bottom; y += 1) {
      for (let x = left; x < right; x += 1) {
        const at = ((y - known.top) * known.width + (x - known.left)) * 4;
        const [red = 0, green = 0, blue = 0, alpha = 0] = known.bytes.subarray(at, at + 4);
        const own = 0.299 * red + 0.587 * green + 0.114 * blue;
        // As the layer paints it: the fourth byte lets the ground through.
        const light = ground + ((own - ground) * alpha) / 255;
        context.fillStyle = light > 140 ? 'rgb(0 0 0 / 78%)' : 'rgb(255 255 255 / 82%)';
        const px = originX + (x + 0.5) * scale;
        const py = originY + (y + 0.5) * scale;
        context.fillText(`${HEX[red] ?? ''} ${HEX[green] ?? ''}`, px, py - fontSize * 0.62);
        context.fillText(`${HEX[blue] ?? ''} ${HEX[alpha] ?? ''}`, px, py + fontSize * 0.62);
      }
    }
  };

  /** One question at a time, for somewhat more than is seen. */
  private ask(view: Bounds): void {
    if (this.asking) return;
    this.asking = true;
    this.stale = false;
    const left = Math.floor(view.left) - 8;
    const top = Math.floor(view.top) - 8;
    const width = Math.min(Math.ceil(view.right) + 8 - left, MOST);
    const height = Math.min(Math.ceil(view.bottom) + 8 - top, MOST);
    engine
      .pixels(left, top, width, height)
      .then((bytes) => {
        this.known = { left, top, width, height, bytes };
        this.front?.invalidate();
      })
      .catch(() => {
        // Not read yet, or the map was closed: the colours are there without their values.
      })
      .finally(() => (this.asking = false));
  }
}

function covers(known: Window | undefined, view: Bounds): boolean {
  return (
    known !== undefined &&
    known.left <= Math.floor(view.left) &&
    known.top <= Math.floor(view.top) &&
    known.left + known.width >= Math.ceil(view.right) &&
    known.top + known.height >= Math.ceil(view.bottom)
  );
}
