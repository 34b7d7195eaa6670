/** The plane by keyboard: the map moves under a crosshair that stands still. */
import { layout } from '../state/map';
import { announce } from '../state/notices';
import { comparison, flight, layer, selection, tool } from '../state/view';
import type { Chart } from './chart';
import { CLUSTER } from './geometry';
import { LAYERS } from './layers';
import { choice, hovered, pointAt, pointAway, pointing } from './pointing';
import { dab } from './scratching';
import { selectAt } from './select';
import { hitSentence } from './words';

const STEP = 120;
/** At this many screen pixels for one of the plane, steps are single pixels. */
const PIXEL_STEPS = 24;
const SAY_AFTER = 300;

const ARROWS: Record<string, readonly [number, number] | undefined> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export function listenForKeys(chart: Chart): () => void {
  const { element, map } = chart;
  /** What was said last of a place; saying it again would only talk over something else. */
  let said = '';
  let saying: ReturnType<typeof setTimeout> | undefined;

  const lead = (): void => {
    pointing.value = { screen: chart.middle(), by: 'keyboard' };
    pointAt(chart.toPlane(chart.middle()));
  };
  const moved = (): void => {
    if (pointing.peek()?.by === 'keyboard') lead();
  };
  const focus = (): void => {
    if (element.matches(':focus-visible')) lead();
  };
  const blur = (): void => {
    if (pointing.peek()?.by === 'keyboard') pointAway();
  };
  const stopSaying = hovered.subscribe((hit) => {
    clearTimeout(saying);
    if (hit === null || pointing.peek()?.by !== 'keyboard') return;
    saying = setTimeout(() => {
      const sentence = hitSentence(hit);
      if (sentence !== said) announce(sentence);
      said = sentence;
    }, SAY_AFTER);
  });

  const press = (event: KeyboardEvent): void => {
    if (event.target !== element || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!act(chart, event)) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key !== 'Escape' && pointing.peek()?.by !== 'keyboard') lead();
  };

  element.addEventListener('keydown', press);
  element.addEventListener('focus', focus);
  element.addEventListener('blur', blur);
  map.on('move', moved);
  return () => {
    clearTimeout(saying);
    stopSaying();
    element.removeEventListener('keydown', press);
    element.removeEventListener('focus', focus);
    element.removeEventListener('blur', blur);
    map.off('move', moved);
  };
}

/** @returns whether the key was one of the plane's */
function act(chart: Chart, { key, shiftKey }: KeyboardEvent): boolean {
  const arrow = ARROWS[key];
  if (arrow !== undefined) {
    if (shiftKey) stepCluster(chart, arrow);
    else chart.pan(arrow[0] * STEP, arrow[1] * STEP);
    return true;
  }
  const chosen = LAYERS[Number.parseInt(key, 10) - 1];
  if (chosen !== undefined && /^[1-7]$/.test(key)) {
    if (chosen.layer === 'changes' && comparison.peek() === null) {
      announce('There is no comparison to show. Compare two snapshots first.');
    } else {
      layer.value = chosen.layer;
      announce(`Layer ${chosen.name}. ${chosen.shows}`);
    }
    return true;
  }
  switch (key) {
    case '+':
    case '=':
      chart.zoomer.by(1, chart.middle());
      return true;
    case '-':
    case '_':
      chart.zoomer.by(-1, chart.middle());
      return true;
    case 'Home':
    case '0':
      if (layout.peek() !== null) flight.value = 'whole';
      return true;
    case 'Enter':
    case ' ': {
      const plane = chart.toPlane(chart.middle());
      if (tool.peek() === 'scratch') dab(plane.x, plane.y);
      else void selectAt(plane, chart.middle());
      return true;
    }
    case 'Escape':
      return letGo();
    default:
      return false;
  }
}

/** One thing at a time, the nearest first. */
function letGo(): boolean {
  if (choice.peek() !== null) choice.value = null;
  else if (tool.peek() !== 'look') tool.value = 'look';
  else if (selection.peek() !== null) selection.value = null;
  else return false;
  return true;
}

function stepCluster(chart: Chart, [dx, dy]: readonly [number, number]): void {
  const side = chart.scale() >= PIXEL_STEPS ? 1 : CLUSTER;
  const { x, y } = chart.toPlane(chart.middle());
  const snap = (value: number): number => (Math.floor(value / side) + 0.5) * side;
  chart.putInMiddle(snap(x) + dx * side, snap(y) + dy * side);
}
