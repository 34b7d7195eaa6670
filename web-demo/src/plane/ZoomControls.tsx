/** Nearer, farther, everything, and the brush. */
import { computed, signal } from '@preact/signals';
import { Eraser, Maximize, Minus, Plus } from 'lucide-preact';

import { camera, flight, tool } from '../state/view';
import { current } from './current';
import { whyNoScratching } from './ScratchBar';
import { announce } from '../state/notices';
import { MAX_ZOOM } from './zoom-limits';

const atNearest = computed(() => camera.value.zoom >= MAX_ZOOM);
const atFarthest = computed(
  () => current.value !== null && camera.value.zoom <= current.value.map.getMinZoom(),
);

export function ZoomControls() {
  const chart = current.value;
  const by = (levels: number): void => {
    if (chart !== null) chart.zoomer.by(levels, chart.middle());
  };
  const unable = whyNoScratching();
  const scratching = tool.value === 'scratch';
  return (
    <div class="plane-card plane-tools" role="group" aria-label="View">
      <button
        type="button"
        class="plane-tool"
        aria-label="Zoom in"
        title="Zoom in (+)"
        aria-disabled={atNearest.value}
        onClick={() => by(1)}
      >
        <Plus size={18} />
      </button>
      <button
        type="button"
        class="plane-tool"
        aria-label="Zoom out"
        title="Zoom out (−)"
        aria-disabled={atFarthest.value}
        onClick={() => by(-1)}
      >
        <Minus size={18} />
      </button>
      <button
        type="button"
        class="plane-tool"
        aria-label="Show the whole plane"
        title="Show the whole plane (Home)"
        onClick={() => (flight.value = 'whole')}
      >
        <Maximize size={17} />
      </button>
      <span class="plane-rule" />
      <button
        type="button"
        class="plane-tool"
        aria-label="Scratch the picture"
        title={unable ?? 'Scratch the picture'}
        aria-pressed={scratching}
        aria-disabled={unable !== null}
        aria-describedby={unable === null ? undefined : 'plane-unable'}
        onClick={() => {
          if (unable === null) tool.value = scratching ? 'look' : 'scratch';
          else explain(unable);
        }}
      >
        <Eraser size={18} />
      </button>
      {unable !== null && (
        <p id="plane-unable" class={`plane-unable ${explaining.value ? 'shown' : ''}`}>
          {unable}
        </p>
      )}
    </div>
  );
}

/** Why the brush cannot be taken up is said beside its button for a while. */
const explaining = signal(false);
let timer: ReturnType<typeof setTimeout> | undefined;

function explain(reason: string): void {
  explaining.value = true;
  announce(reason);
  clearTimeout(timer);
  timer = setTimeout(() => (explaining.value = false), 6000);
}
