/** Mouse, pen and finger on the plane: pointing and choosing. */
import { selection, tool } from '../state/view';
import type { Chart } from './chart';
import { later } from './later';
import type { L } from './leaflet';
import { dragFrom } from './placing';
import { hovered, pointAt, pointAway, pointing } from './pointing';
import { forgetClick, selectAt } from './select';

const MOVING_PAUSE = 160;

export function listenForPointer(chart: Chart): () => void {
  const { element, map } = chart;
  let lastType = 'mouse';

  // While the map moves, tiles matter more than what passes under the pointer.
  const lookAgain = later(MOVING_PAUSE, () => {
    const point = pointing.peek();
    if (point?.by === 'mouse') pointAt(chart.toPlane(point.screen));
  });
  const move = (event: PointerEvent): void => {
    if (event.pointerType === 'touch') return;
    if (event.target instanceof Element && event.target.closest('.plane-map') === null) return;
    // A pressed button drags the map; the brush goes on showing where it is.
    if (event.buttons !== 0 && tool.peek() === 'look') {
      hovered.value = null;
      return;
    }
    const screen = chart.pointOf(event);
    pointing.value = { screen, by: 'mouse' };
    pointAt(chart.toPlane(screen));
  };
  const leave = (event: PointerEvent): void => {
    if (event.pointerType !== 'touch' && pointing.peek()?.by === 'mouse') pointAway();
  };
  /** The map moved under a pointer that stands still. */
  const moved = (): void => {
    const point = pointing.peek();
    if (point?.by === 'mouse') lookAgain();
    else if (point?.by === 'touch') pointAway();
  };
  const down = (event: PointerEvent): void => {
    lastType = event.pointerType;
    if (!event.shiftKey || event.button !== 0 || tool.peek() === 'scratch') return;
    const path = selection.peek();
    const on = hovered.peek()?.files?.some((file) => file.path === path) === true;
    if (path === null || !on) return;
    if (dragFrom(chart, path, event)) event.stopImmediatePropagation();
  };
  const click = (event: L.LeafletMouseEvent): void => {
    if (tool.peek() === 'scratch' || event.originalEvent.shiftKey) return;
    const screen = { x: event.containerPoint.x, y: event.containerPoint.y };
    const plane = chart.toPlane(screen);
    if (lastType === 'touch') pointing.value = { screen, by: 'touch' };
    void selectAt(plane, screen).then((hit) => {
      if (hit !== null && pointing.peek()?.by === 'touch') hovered.value = hit;
    });
  };
  const double = (event: L.LeafletMouseEvent): void => {
    if (tool.peek() === 'scratch') return;
    forgetClick();
    chart.zoomer.by(event.originalEvent.shiftKey ? -1 : 1, event.containerPoint);
  };

  element.addEventListener('pointermove', move);
  element.addEventListener('pointerleave', leave);
  element.addEventListener('pointerdown', down, true);
  map.on('click', click);
  map.on('dblclick', double);
  map.on('move', moved);
  return () => {
    lookAgain.cancel();
    element.removeEventListener('pointermove', move);
    element.removeEventListener('pointerleave', leave);
    element.removeEventListener('pointerdown', down, true);
    map.off('click', click);
    map.off('dblclick', double);
    map.off('move', moved);
  };
}
