/** The chart that is on the page, for the cards beside it. */
import { signal } from '@preact/signals';

import type { Chart } from './chart';

export const current = signal<Chart | null>(null);
