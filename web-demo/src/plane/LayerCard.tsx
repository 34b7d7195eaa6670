/** The layers and the legend of the one that is shown, in one card that folds. */
import { ChevronDown, ChevronUp } from 'lucide-preact';
import { signal } from '@preact/signals';

import { layer } from '../state/view';
import { HeatRecorder } from './HeatRecorder';
import { LayerPicker } from './LayerPicker';
import { LAYERS } from './layers';
import { Legend } from './Legend';

const roomy = matchMedia('(min-width: 900px) and (min-height: 640px)');
/** Open where there is room for it, until the visitor says otherwise. */
const open = signal(roomy.matches);
roomy.addEventListener('change', () => (open.value = roomy.matches));

export function LayerCard() {
  const chosen = LAYERS.find((each) => each.layer === layer.value);
  const Chevron = open.value ? ChevronUp : ChevronDown;
  return (
    <section class="plane-card plane-layers" aria-label="Layers">
      <button
        type="button"
        class="plane-layers-head"
        aria-expanded={open.value}
        aria-controls="plane-layers-body"
        onClick={() => (open.value = !open.value)}
      >
        {chosen !== undefined && <chosen.Icon size={16} />}
        <strong>{chosen?.name}</strong>
        <span class="plane-soft plane-shows">{chosen?.shows}</span>
        <Chevron size={16} />
      </button>
      {open.value && (
        <div id="plane-layers-body" class="plane-layers-body" data-scrolls>
          <LayerPicker />
          <Legend />
          {layer.value === 'heat' && <HeatRecorder />}
        </div>
      )}
    </section>
  );
}
