/** The scale, as a square: how many bytes lie in that much of the picture. */
import { computed } from '@preact/signals';

import { bytes } from '../state/text';
import { camera } from '../state/view';

/** A pixel of the picture holds four bytes. */
const PIXEL_BYTES = 4;
const SMALLEST = 14;

/** In eighths: the card is not laid out anew in every frame of a flight. */
const steps = computed(() => Math.round(camera.value.zoom * 8));

export function ScaleMark() {
  const zoom = steps.value / 8;
  // A power of two, so that the square is of clusters, or of pixels when near.
  const side = Math.max(Math.ceil(Math.log2(SMALLEST) - zoom), 0);
  const shown = 2 ** (side + zoom);
  const held = bytes(PIXEL_BYTES * 4 ** side).replace(/\.0+(?= )/, '');
  return (
    <p class="plane-card plane-scale-mark" title={`A square of this size holds ${held}`}>
      <i style={{ width: `${shown}px`, height: `${shown}px` }} aria-hidden="true" />
      <span>
        <span class="hidden-visually">The square of the scale holds </span>
        {held}
      </span>
    </p>
  );
}
