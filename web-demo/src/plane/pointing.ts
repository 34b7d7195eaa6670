/** What is pointed at: by the pointer, or by the crosshair of the keyboard. */
import { effect, signal } from '@preact/signals';

import { engine } from '../engine/client';
import type { Hit } from '../engine/contract';
import { openMap } from '../state/map';
import { heed } from '../state/heed';

export interface Pointing {
  /** On the container. */
  screen: { x: number; y: number };
  /** The card follows a mouse, keeps to the lower edge under a finger, and stands by the crosshair. */
  by: 'mouse' | 'touch' | 'keyboard';
}

export const pointing = signal<Pointing | null>(null);
export const hovered = signal<Hit | null>(null);
/** A packed cluster was chosen: which of its files is meant? */
export const choice = signal<{ hit: Hit; screen: { x: number; y: number } } | null>(null);

let wanted: { x: number; y: number } | null = null;
let asking = false;

/** Asks what lies there; one question is on its way at a time, and of those waiting the newest wins. */
export function pointAt(plane: { x: number; y: number }): void {
  wanted = plane;
  if (!asking) void ask();
}

export function pointAway(): void {
  wanted = null;
  hovered.value = null;
  pointing.value = null;
}

async function ask(): Promise<void> {
  asking = true;
  try {
    while (wanted !== null) {
      const here = wanted;
      const hit = await engine.hit(here.x, here.y).catch(() => null);
      // Pointed away meanwhile: nothing is shown.
      if (pointing.peek() === null) break;
      hovered.value = hit;
      if (wanted === here) break;
    }
  } finally {
    asking = false;
    wanted = null;
  }
}

effect(() => {
  // Another map, or none: what was pointed at is gone.
  heed(openMap.value);
  pointAway();
  choice.value = null;
});
