/** How the visitor looks at the map: where, at what, in which colours. */
import { computed, signal } from '@preact/signals';

import type { Comparison, Layer, Theme } from '../engine/contract';

export interface Camera {
  /** Plane pixels in the middle of the screen. */
  x: number;
  y: number;
  zoom: number;
}

export interface Bounds {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export const camera = signal<Camera>({ x: 0, y: 0, zoom: 0 });
export const layer = signal<Layer>('files');
/** Path of the chosen file or directory. */
export const selection = signal<string | null>(null);
/** Name of the snapshot that is shown; null is the present. */
export const snapshot = signal<string | null>(null);
/** What the pointer does on the plane. */
export const tool = signal<'look' | 'scratch'>('look');
/** Radius of the scratching brush, in plane pixels. */
export const brush = signal(6);

/** Where the plane is to fly; the plane takes it and sets it back to null. */
export const flight = signal<{ bounds: Bounds } | { camera: Camera } | 'whole' | null>(null);

const dark = matchMedia('(prefers-color-scheme: dark)');
const systemTheme = signal<Theme>(dark.matches ? 'dark' : 'light');
dark.addEventListener('change', () => (systemTheme.value = dark.matches ? 'dark' : 'light'));

/** The visitor's choice; null follows the system. */
export const chosenTheme = signal<Theme | null>(readTheme());
export const theme = computed<Theme>(() => chosenTheme.value ?? systemTheme.value);

const THEME_KEY = 'aetherflow-theme';

function readTheme(): Theme | null {
  try {
    const kept = localStorage.getItem(THEME_KEY);
    return kept === 'dark' || kept === 'light' ? kept : null;
  } catch {
    return null;
  }
}

export function chooseTheme(choice: Theme | null): void {
  chosenTheme.value = choice;
  try {
    if (choice === null) localStorage.removeItem(THEME_KEY);
    else localStorage.setItem(THEME_KEY, choice);
  } catch {
    // Where nothing may be kept, the choice holds for this visit.
  }
}

/** What was compared last; the layer `changes` paints it. */
export const comparison = signal<Comparison | null>(null);
