/** What follows the pointer and the hand: outline, crosshair, brush, fresh scratches, the target ring. */
import { brush, tool } from '../state/view';
import type { Frame } from './front';
import { CLUSTER } from './geometry';
import { target } from './placing';
import { hovered, pointing } from './pointing';
import { freshMarks } from './scratching';

/** The cluster under the pointer. */
export function paintOutline(frame: Frame): void {
  const hit = hovered.peek();
  if (hit === null || hit.outside || hit.tileX === undefined || hit.tileY === undefined) return;
  if (tool.peek() === 'scratch') return;
  const { context, inks, scale, originX, originY } = frame;
  const side = CLUSTER * scale;
  const left = originX + hit.tileX * scale;
  const top = originY + hit.tileY * scale;
  // A cluster too small to see is still to be found: the outline keeps a size.
  const shown = Math.max(side, 7);
  const shift = (side - shown) / 2;
  context.lineWidth = 3;
  context.strokeStyle = inks.ground;
  context.globalAlpha = 0.7;
  context.strokeRect(left + shift, top + shift, shown, shown);
  context.globalAlpha = 1;
  context.lineWidth = 1.25;
  context.strokeStyle = inks.ink;
  context.strokeRect(left + shift, top + shift, shown, shown);
}

/** In the middle of what no panel covers, while the keyboard leads. */
export function paintCrosshair(frame: Frame): void {
  const point = pointing.peek();
  if (point?.by !== 'keyboard') return;
  const { context, inks } = frame;
  const { x, y } = point.screen;
  const arms = (): void => {
    context.beginPath();
    for (const [dx, dy] of [
      [1, 0],
      [-1, 0],
      [0, 1],
      [0, -1],
    ] as const) {
      context.moveTo(x + dx * 5, y + dy * 5);
      context.lineTo(x + dx * 16, y + dy * 16);
    }
    context.stroke();
  };
  context.lineCap = 'round';
  context.strokeStyle = inks.ground;
  context.lineWidth = 5;
  arms();
  context.strokeStyle = inks.accent;
  context.lineWidth = 2;
  arms();
}

/** The ring of the brush, and what was scratched but not painted yet. */
export function paintScratches(frame: Frame): void {
  const { context, inks, scale, originX, originY } = frame;
  const marks = freshMarks.peek();
  if (marks.length > 0) {
    context.strokeStyle = context.fillStyle = inks.warn;
    context.globalAlpha = 0.85;
    context.lineCap = context.lineJoin = 'round';
    for (const { points, radius } of marks) {
      context.lineWidth = Math.max(2 * radius * scale, 2);
      context.beginPath();
      for (const [x, y] of points) context.lineTo(originX + x * scale, originY + y * scale);
      // A point alone is a line of no length, which round caps make a dot.
      const [first] = points;
      if (first !== undefined && points.length === 1) {
        context.lineTo(originX + first[0] * scale + 0.01, originY + first[1] * scale);
      }
      context.stroke();
    }
  }
  const point = pointing.peek();
  if (tool.peek() !== 'scratch' || point === null || point.by === 'touch') return;
  const radius = Math.max(brush.peek() * scale, 2);
  context.globalAlpha = 1;
  for (const [width, ink] of [
    [3.5, inks.ground],
    [1.5, inks.warn],
  ] as const) {
    context.lineWidth = width;
    context.strokeStyle = ink;
    context.beginPath();
    context.arc(point.screen.x, point.screen.y, radius, 0, 2 * Math.PI);
    context.stroke();
  }
}

/** Where a dragged file would lie from now on. */
export function paintTarget(frame: Frame): void {
  const place = target.peek();
  if (place === null) return;
  const { context, inks, scale, originX, originY } = frame;
  const radius = place.distance * scale;
  context.beginPath();
  context.arc(originX, originY, radius, 0, 2 * Math.PI);
  context.lineWidth = 14;
  context.strokeStyle = inks.accent;
  context.globalAlpha = 0.2;
  context.stroke();
  context.globalAlpha = 1;
  context.lineWidth = 2;
  context.stroke();
}
