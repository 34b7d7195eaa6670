/** The zones as thin circles with their names along them, and the borders of the sheets. */
import type { PlaneLayout } from '../engine/contract';
import { layout } from '../state/map';
import { layer } from '../state/view';
import type { Frame } from './front';
import { CLUSTER, sheetPosition } from './geometry';
import { target } from './placing';

/** Beyond this radius on screen an arc is drawn as lines: canvases lose precision there. */
const LARGE = 20_000;
/** Sheets are drawn one by one only while that many are worth looking at. */
const MANY_SHEETS = 4000;

export function paintRings(frame: Frame): void {
  const shape = layout.peek();
  if (shape === null) return;
  // Who drags a file to another zone has to see them.
  const strong = layer.peek() === 'zones' || target.peek() !== null;
  const { context, inks, scale } = frame;
  for (const { zone, inner, outer } of shape.zones) {
    if (outer !== null) {
      const radius = outer * scale;
      if (radius < 14) continue;
      context.strokeStyle = inks.ink;
      context.lineWidth = strong ? 1.5 : 1;
      context.globalAlpha = strong ? 0.75 : 0.24;
      context.setLineDash(strong ? [] : [2, 4]);
      strokeCircle(frame, radius);
    }
    context.setLineDash([]);
    // The outermost zone has no outer ring; its name stands outside the last one.
    const radius = outer === null ? inner * scale + 16 : outer * scale - 9;
    if (outer !== null && (outer - inner) * scale < 26) continue;
    if (radius < 30) continue;
    nameAlong(frame, zone, radius, strong ? 1 : 0.75);
  }
}

function strokeCircle(frame: Frame, radius: number): void {
  const { context, originX, originY, width, height } = frame;
  const dx = width / 2 - originX;
  const dy = height / 2 - originY;
  const reach = Math.hypot(width, height) / 2;
  if (Math.abs(Math.hypot(dx, dy) - radius) > reach) return;
  context.beginPath();
  if (radius < LARGE) {
    context.arc(originX, originY, radius, 0, 2 * Math.PI);
  } else {
    const middle = Math.atan2(dy, dx);
    const half = Math.min((2 * reach) / radius, Math.PI);
    for (let step = 0; step <= 96; step += 1) {
      const angle = middle - half + (half * 2 * step) / 96;
      context.lineTo(originX + radius * Math.cos(angle), originY + radius * Math.sin(angle));
    }
  }
  context.stroke();
}

/** A name on the arc, at the top, or where the circle crosses the middle of the view. */
function nameAlong(frame: Frame, name: string, radius: number, alpha: number): void {
  const { context, inks, width, height, originX: x, originY: y } = frame;
  const angle = nameAngle(frame, radius);
  if (angle === undefined) return;
  context.font = `600 11px ${inks.font}`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  const letters = Array.from(name.toUpperCase());
  const spacing = 2.5;
  const widths = letters.map((letter) => context.measureText(letter).width + spacing);
  const total = widths.reduce((sum, letter) => sum + letter, 0);
  // Along the lower half the letters turn round, so that they can be read.
  const below = Math.sin(angle) > 0;
  const sense = below ? -1 : 1;
  context.lineJoin = 'round';
  context.lineWidth = 3.5;
  // All edges first: that of a letter would lie over the one before it.
  for (const edges of [true, false]) {
    let along = (-total / 2) * sense;
    letters.forEach((letter, index) => {
      const step = (widths[index] ?? 0) * sense;
      const here = angle + (along + step / 2) / radius;
      along += step;
      const px = x + radius * Math.cos(here);
      const py = y + radius * Math.sin(here);
      if (px < -20 || py < -20 || px > width + 20 || py > height + 20) return;
      context.save();
      context.translate(px, py);
      context.rotate(here + (below ? -Math.PI / 2 : Math.PI / 2));
      context.globalAlpha = edges ? alpha * 0.9 : alpha;
      context.strokeStyle = inks.ground;
      context.fillStyle = inks.ink;
      if (edges) context.strokeText(letter, 0, 0);
      else context.fillText(letter, 0, 0);
      context.restore();
    });
  }
}

function nameAngle(frame: Frame, radius: number): number | undefined {
  const { originX, originY, width, height, chart } = frame;
  const { top, left, right, bottom } = chart.insets();
  const inside = (angle: number): boolean => {
    const px = originX + radius * Math.cos(angle);
    const py = originY + radius * Math.sin(angle);
    return px > left + 30 && px < width - right - 30 && py > top + 14 && py < height - bottom - 14;
  };
  const top0 = -Math.PI / 2;
  if (inside(top0)) return top0;
  const toMiddle = Math.atan2(
    (top + height - bottom) / 2 - originY,
    (left + width - right) / 2 - originX,
  );
  if (inside(toMiddle)) return toMiddle;
  for (const angle of [-Math.PI / 4, (-3 * Math.PI) / 4, Math.PI / 2, 0, Math.PI]) {
    if (inside(angle)) return angle;
  }
  return undefined;
}

/** The borders of the sheets, and near enough those of the clusters. */
export function paintGrid(frame: Frame): void {
  const shape = layout.peek();
  if (shape === null) return;
  // The other layers draw them between what they paint.
  if (layer.peek() === 'raw') paintClusterLines(frame, shape);
  paintSheets(frame, shape);
}

function paintSheets(frame: Frame, shape: PlaneLayout): void {
  const { context, inks, scale, originX, originY, width, height } = frame;
  const side = shape.sheet * scale;
  if (side < 24 || shape.sheets > MANY_SHEETS) return;
  context.strokeStyle = inks.ink;
  context.globalAlpha = 0.2;
  context.lineWidth = 1;
  context.beginPath();
  for (let sheet = 0; sheet < shape.sheets; sheet += 1) {
    const [column, row] = sheetPosition(sheet);
    const left = Math.round(originX + (column - 0.5) * side) + 0.5;
    const top = Math.round(originY + (row - 0.5) * side) + 0.5;
    if (left > width || top > height || left + side < 0 || top + side < 0) continue;
    context.rect(left, top, Math.round(side), Math.round(side));
  }
  context.stroke();
}

function paintClusterLines(frame: Frame, shape: PlaneLayout): void {
  const { context, inks, scale, originX, originY, view, width, height } = frame;
  const step = CLUSTER * scale;
  if (step < 40) return;
  context.strokeStyle = inks.ink;
  context.globalAlpha = Math.min((step - 40) / 400, 0.14);
  context.lineWidth = 1;
  context.beginPath();
  const left = Math.max(view.left, shape.left);
  const right = Math.min(view.right, shape.right);
  const top = Math.max(view.top, shape.top);
  const bottom = Math.min(view.bottom, shape.bottom);
  for (let x = Math.ceil(left / CLUSTER) * CLUSTER; x <= right; x += CLUSTER) {
    const px = Math.round(originX + x * scale) + 0.5;
    context.moveTo(px, Math.max(originY + top * scale, 0));
    context.lineTo(px, Math.min(originY + bottom * scale, height));
  }
  for (let y = Math.ceil(top / CLUSTER) * CLUSTER; y <= bottom; y += CLUSTER) {
    const py = Math.round(originY + y * scale) + 0.5;
    context.moveTo(Math.max(originX + left * scale, 0), py);
    context.lineTo(Math.min(originX + right * scale, width), py);
  }
  context.stroke();
}
