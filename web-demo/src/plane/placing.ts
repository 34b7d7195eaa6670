/** Dragging a file to another zone: from the tree, from its handle, or with Shift from the plane. */
import { signal } from '@preact/signals';

import { engine } from '../engine/client';
import type { Zone } from '../engine/contract';
import { changeable } from '../state/choose';
import { PATH_TYPE } from '../state/files';
import { layout } from '../state/map';
import { runTask, tell } from '../state/notices';
import type { Chart } from './chart';
import { zoneAt } from './geometry';
import { splitPath } from './words';

export interface Target {
  screen: { x: number; y: number };
  distance: number;
  zone: Zone;
}

/** Where a drop would place it, while something is dragged. */
export const target = signal<Target | null>(null);

export function aimAt(chart: Chart, screen: { x: number; y: number }): void {
  const shape = layout.peek();
  const { x, y } = chart.toPlane(screen);
  const distance = Math.hypot(x, y);
  const zone = shape === null ? undefined : zoneAt(shape, distance)?.zone;
  target.value = zone === undefined ? null : { screen, distance, zone };
}

/** Lets go: the file has its place there from now on. */
export async function dropAt(path: string): Promise<void> {
  const place = target.peek();
  target.value = null;
  if (place === null || !changeable.peek()) return;
  const [, name] = splitPath(path);
  const done = await runTask(`Moving ${name} to the ${place.zone} zone`, 'things', async () => {
    await engine.place(path, place.distance);
    return true;
  });
  if (done === true) tell(`${name} now belongs to the ${place.zone} zone.`);
}

/**
 * The drag from a handle or with Shift: follows the pointer until it is let go; Escape gives up.
 * @returns whether it was taken up
 */
export function dragFrom(chart: Chart, path: string, start: PointerEvent): boolean {
  if (!changeable.peek()) return false;
  const { element } = chart;
  element.setPointerCapture(start.pointerId);
  chart.map.dragging.disable();
  let moved = false;
  const move = (event: PointerEvent): void => {
    moved ||= Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY) > 4;
    if (moved) aimAt(chart, chart.pointOf(event));
  };
  const end = (): void => {
    element.removeEventListener('pointermove', move);
    element.removeEventListener('pointerup', drop);
    element.removeEventListener('pointercancel', giveUp);
    removeEventListener('keydown', escape, true);
    chart.map.dragging.enable();
  };
  const drop = (): void => {
    end();
    void dropAt(path);
  };
  const giveUp = (): void => {
    end();
    target.value = null;
  };
  const escape = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    giveUp();
  };
  element.addEventListener('pointermove', move);
  element.addEventListener('pointerup', drop);
  element.addEventListener('pointercancel', giveUp);
  addEventListener('keydown', escape, true);
  return true;
}

/** Rows of the tree dropped on the plane. The listeners of the shell for files see none of it. */
export function acceptRows(chart: Chart): () => void {
  const { element } = chart;
  const ours = (event: DragEvent): boolean =>
    event.dataTransfer?.types.includes(PATH_TYPE) === true && changeable.peek();
  const over = (event: DragEvent): void => {
    if (!ours(event)) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.dataTransfer !== null) event.dataTransfer.dropEffect = 'move';
    aimAt(chart, chart.pointOf(event));
  };
  const leave = (event: DragEvent): void => {
    if (event.relatedTarget instanceof Node && element.contains(event.relatedTarget)) return;
    target.value = null;
  };
  const drop = (event: DragEvent): void => {
    if (!ours(event)) return;
    event.preventDefault();
    event.stopPropagation();
    void dropAt(event.dataTransfer?.getData(PATH_TYPE) ?? '');
  };
  element.addEventListener('dragenter', over);
  element.addEventListener('dragover', over);
  element.addEventListener('dragleave', leave);
  element.addEventListener('drop', drop);
  return () => {
    element.removeEventListener('dragenter', over);
    element.removeEventListener('dragover', over);
    element.removeEventListener('dragleave', leave);
    element.removeEventListener('drop', drop);
  };
}
