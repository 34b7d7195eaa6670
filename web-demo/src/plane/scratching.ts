/** The brush that damages pixels for real. */
import { effect, signal } from '@preact/signals';

import { engine } from '../engine/client';
import { changeable } from '../state/choose';
import { heed } from '../state/heed';
import { announce, complain, problemOf } from '../state/notices';
import { damageRevision } from '../state/verify';
import { brush, tool } from '../state/view';
import type { Chart } from './chart';

interface Mark {
  points: [number, number][];
  radius: number;
}

/** How often a stroke under way is sent on. */
const SEND_EVERY = 100;
/** How long a mark stays drawn once its damage is done: until the tiles show it. */
const LINGER = 600;

/** Marks that are drawn by the page because the tiles do not show them yet. */
export const freshMarks = signal<readonly Mark[]>([]);
/** What the brush has done since it was taken up. */
export const scratched = signal({ pixels: 0, clusters: 0 });

/** Whether there are scratches that the last verify has not seen. */
export const scratchedSince = signal(false);

let sending: Promise<void> = Promise.resolve();

effect(() => {
  heed(damageRevision.value);
  scratchedSince.value = false;
});

/** Sends points off, one batch after the other; its mark goes once the plane shows the damage. */
function send(mark: Mark): void {
  sending = sending.then(async () => {
    try {
      const { pixels, clusters } = await engine.scratch(mark.points, mark.radius);
      const before = scratched.peek();
      scratched.value = {
        pixels: before.pixels + pixels,
        clusters: before.clusters + clusters,
      };
      scratchedSince.value = true;
    } catch (error) {
      complain(problemOf(error));
    } finally {
      setTimeout(() => {
        freshMarks.value = freshMarks.peek().filter((other) => other !== mark);
      }, LINGER);
    }
  });
}

/** A single dab: what Enter does at the crosshair. */
export function dab(x: number, y: number): void {
  if (!changeable.peek()) return;
  const mark: Mark = { points: [[x, y]], radius: brush.peek() };
  freshMarks.value = [...freshMarks.peek(), mark];
  announce('Scratched.');
  send(mark);
}

/** Every place the pointer has been since the last event; some browsers give the last one only. */
function coalesced(event: PointerEvent): PointerEvent[] {
  const all = 'getCoalescedEvents' in event ? event.getCoalescedEvents() : [];
  return all.length > 0 ? all : [event];
}

/** Strokes of mouse, pen and finger while the tool is the brush. A second finger is for moving the map. */
export function listenForStrokes(chart: Chart): () => void {
  const { element } = chart;
  let stroke: { mark: Mark; pointer: number; timer: ReturnType<typeof setInterval> } | null = null;

  const begin = (point: [number, number]): Mark => {
    const mark: Mark = { points: [point], radius: brush.peek() };
    freshMarks.value = [...freshMarks.peek(), mark];
    return mark;
  };
  /** Sends what there is and goes on from its last point. */
  const pass = (goesOn: boolean): void => {
    if (stroke === null) return;
    const { mark } = stroke;
    const last = mark.points.at(-1);
    if (goesOn && (mark.points.length < 2 || last === undefined)) return;
    send(mark);
    if (goesOn && last !== undefined) stroke.mark = begin(last);
  };
  const down = (event: PointerEvent): void => {
    if (tool.peek() !== 'scratch' || !changeable.peek() || event.button !== 0) return;
    if (stroke !== null) {
      // Two fingers: what was begun by the first is not meant.
      cancel();
      return;
    }
    if (!event.isPrimary) return;
    event.preventDefault();
    element.setPointerCapture(event.pointerId);
    const { x, y } = chart.toPlane(chart.pointOf(event));
    stroke = {
      mark: begin([x, y]),
      pointer: event.pointerId,
      timer: setInterval(() => pass(true), SEND_EVERY),
    };
  };
  const move = (event: PointerEvent): void => {
    if (stroke?.pointer !== event.pointerId) return;
    for (const each of coalesced(event)) {
      const { x, y } = chart.toPlane(chart.pointOf(each));
      stroke.mark.points.push([x, y]);
    }
    freshMarks.value = [...freshMarks.peek()];
  };
  const up = (event: PointerEvent): void => {
    if (stroke?.pointer !== event.pointerId) return;
    clearInterval(stroke.timer);
    pass(false);
    stroke = null;
  };
  const cancel = (): void => {
    if (stroke === null) return;
    clearInterval(stroke.timer);
    const { mark } = stroke;
    freshMarks.value = freshMarks.peek().filter((other) => other !== mark);
    stroke = null;
  };
  element.addEventListener('pointerdown', down);
  element.addEventListener('pointermove', move);
  element.addEventListener('pointerup', up);
  element.addEventListener('pointercancel', cancel);
  return () => {
    cancel();
    element.removeEventListener('pointerdown', down);
    element.removeEventListener('pointermove', move);
    element.removeEventListener('pointerup', up);
    element.removeEventListener('pointercancel', cancel);
  };
}
