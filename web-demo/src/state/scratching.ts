/** Taking up the brush that damages pixels, and why it cannot be. */
import { signal } from '@preact/signals';

import { changeable } from './choose';
import { openMap } from './map';
import { announce } from './notices';
import { tool } from './view';

/** How long the reason is shown. */
const READING_TIME = 6000;

/** Why the brush cannot be taken up is said beside its button for a while. */
export const explaining = signal(false);
let timer: ReturnType<typeof setTimeout> | undefined;

/** Why the brush is not offered, or null. */
export function whyNoScratching(): string | null {
  if (changeable.value) return null;
  const opened = openMap.value;
  if (opened === null) return 'There is no map open.';
  if (!opened.writable) {
    return 'This map is open for reading only. Make a copy in this browser to scratch it.';
  }
  return 'A snapshot is shown, and the past cannot be scratched. Go back to the present.';
}

/** Takes the brush up or puts it away. */
export function toggleBrush(): void {
  const unable = whyNoScratching();
  if (unable === null) {
    tool.value = tool.peek() === 'scratch' ? 'look' : 'scratch';
    return;
  }
  explaining.value = true;
  announce(unable);
  clearTimeout(timer);
  timer = setTimeout(() => (explaining.value = false), READING_TIME);
}
