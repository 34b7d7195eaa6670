/** Nearer, farther, everything, and the brush. */
import { computed } from '@preact/signals';
import { Eraser, Maximize, Minus, Plus } from 'lucide-preact';

import { explaining, toggleBrush, whyNoScratching } from '../state/scratching';
import { camera, flight, tool } from '../state/view';
import { current } from './current';
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
        title={unable ?? 'Scratch the picture (E)'}
        aria-pressed={scratching}
        aria-disabled={unable !== null}
        aria-describedby={unable === null ? undefined : 'plane-unable'}
        onClick={toggleBrush}
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
