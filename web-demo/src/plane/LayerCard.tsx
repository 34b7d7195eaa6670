/** The layers and the legend of the one that is shown, in one card that folds. */
import { ChevronDown, ChevronUp } from 'lucide-preact';
import { signal } from '@preact/signals';

import { layer } from '../state/view';
import { useLayoutEffect } from 'preact/hooks';

import { covered, free } from './current';
import { HeatRecorder } from './HeatRecorder';
import { LayerPicker } from './LayerPicker';
import { LAYERS } from './layers';
import { Legend } from './Legend';

/** What the visitor chose; until then it is open where there is room for it beside the map. */
const chosenOpen = signal<boolean | null>(null);
const CARD = 250;
const WIDE_ENOUGH = 960;
const HIGH_ENOUGH = 560;
const narrow = matchMedia('(max-width: 719.98px), (max-height: 479.98px)');
const folds = signal(narrow.matches);
narrow.addEventListener('change', () => (folds.value = narrow.matches));

function isOpen(): boolean {
  if (chosenOpen.value !== null) return chosenOpen.value;
  const { width, height } = free.value;
  return width >= WIDE_ENOUGH && height >= HIGH_ENOUGH;
}

export function LayerCard() {
  const open = isOpen();
  // The whole plane is fitted beside an open card where that leaves enough of it.
  useLayoutEffect(() => {
    covered.value = open && free.value.width >= WIDE_ENOUGH ? CARD : 0;
    return () => (covered.value = 0);
  }, [open]);
  const chosen = LAYERS.find((each) => each.layer === layer.value);
  const Chevron = open ? ChevronUp : ChevronDown;
  return (
    <section class="plane-card plane-layers" aria-label="Layers">
      <button
        type="button"
        class="plane-layers-head"
        aria-expanded={open}

        onClick={() => (chosenOpen.value = !open)}
      >
        {chosen !== undefined && <chosen.Icon size={16} />}
        <strong>{chosen?.name}</strong>
        <span class="plane-spring" />
        <Chevron size={16} />
      </button>
      {(open || !folds.value) && <LayerPicker icons={!open} />}
      {open && (
        <div id="plane-layers-body" class="plane-layers-body" data-scrolls>
          <p class="plane-soft plane-shows">{chosen?.shows}</p>
          <Legend />
          {layer.value === 'heat' && <HeatRecorder />}
        </div>
      )}
    </section>
  );
}
