/** Choosing a file: it becomes the selection, and the plane flies to it. */
import { computed } from '@preact/signals';

import { details, detailsOf } from './details';
import { openMap } from './map';
import { complain } from './notices';
import { nameOf, parentOf, shown } from './text';
import { flight, selection, snapshot } from './view';
import { announce } from './notices';

export async function choose(path: string): Promise<void> {
  selection.value = path;
  announce(`Chosen: ${path === '/' ? 'the whole map' : shown(nameOf(path))}`);
  await flyTo(path);
}

export async function flyTo(path: string): Promise<void> {
  if (path === '/') {
    flight.value = 'whole';
    return;
  }
  try {
    const { bounds } = await detailsOf(path);
    if (selection.value === path && bounds !== undefined) flight.value = { bounds };
  } catch (error) {
    // Beside the details the reason is said already, when this is the chosen file.
    if (selection.value !== path) complain(error);
  }
}

/** Where new things go: the chosen directory, or the one of the chosen file. */
export const currentDirectory = computed(() => {
  const path = selection.value;
  if (path === null || path === '/') return '/';
  return details.value?.path === path && details.value.type === 'directory' ? path : parentOf(path);
});

/** Whether files can be changed now: not in a map for reading, not in the past. */
export const changeable = computed(
  () => openMap.value?.writable === true && snapshot.value === null,
);
