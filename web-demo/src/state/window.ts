/** How much room there is, and which panels are open where there is not enough for all. */
import { computed, signal } from '@preact/signals';

const wide = matchMedia('(min-width: 1100px)');
const narrow = matchMedia('(max-width: 719.98px)');

function measure(): 'wide' | 'middle' | 'narrow' {
  return wide.matches ? 'wide' : narrow.matches ? 'narrow' : 'middle';
}

export const room = signal(measure());
for (const query of [wide, narrow]) {
  query.addEventListener('change', () => (room.value = measure()));
}

export type Panel = 'files' | 'details' | 'time';

/** The panel over the plane, where there is no room beside it; null shows the plane alone. */
export const overlay = signal<Panel | null>(null);

export const filesVisible = computed(() => room.value === 'wide' || overlay.value === 'files');
export const detailsVisible = computed(() => room.value === 'wide' || overlay.value === 'details');
export const timeVisible = computed(() => room.value !== 'narrow' || overlay.value === 'time');

/** Opens a panel where it is closed, and puts the keyboard into it. */
export function focusPanel(panel: Panel): void {
  if (room.value === 'narrow' || (room.value === 'middle' && panel !== 'time')) {
    overlay.value = panel;
  }
  requestAnimationFrame(() => {
    const target = document.getElementById(`panel-${panel}`);
    (
      target?.querySelector<HTMLElement>('[data-first-focus], [tabindex="0"], button') ?? target
    )?.focus();
  });
}

/** What the left panel shows. */
export const leftTab = signal<'files' | 'changes' | 'verify'>('files');

/** Whether the right panel takes more room, for reading and writing. */
export const widened = signal(false);
