/** The chart that is on the page, for the cards beside it. */
import { signal } from '@preact/signals';

import type { Chart } from './chart';

export const current = signal<Chart | null>(null);

/** What is left of the container between the panels. */
export const free = signal({ width: 0, height: 0 });
/** How much of that, on the right, a card of the plane's own covers. */
export const covered = signal(0);
