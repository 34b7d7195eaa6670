/** The layers and the legend of the one that is shown, in one card that folds. */
import { signal } from '@preact/signals';
import { ChevronDown, ChevronUp } from 'lucide-preact';
import { useLayoutEffect } from 'preact/hooks';

import { layer } from '../state/view';
import { covered, free } from './current';
import { HeatRecorder } from './HeatRecorder';
import { LayerPicker } from './LayerPicker';
import { LAYERS } from './layers';
import { Legend } from './Legend';

/** Width of the card with its margins. */
const CARD = 250;
/** Where this much is free, the whole plane is fitted beside an open card, not under it. */
const BESIDE = 760;
const KEY = 'aetherflow-legend';

/** What the visitor chose; until then it is open where there is room for it. */
const chosenOpen = signal<boolean | null>(kept());
const roomy = matchMedia('(min-width: 1600px) and (min-height: 700px)');
const hasRoom = signal(roomy.matches);
roomy.addEventListener('change', () => (hasRoom.value = roomy.matches));
const narrow = matchMedia('(max-width: 719.98px), (max-height: 479.98px)');
const folds = signal(narrow.matches);
const opened = signal(false);
narrow.addEventListener('change', () => (folds.value = narrow.matches));

function kept(): boolean | null {
  try {
    const word = localStorage.getItem(KEY);
    return word === null ? null : word === 'open';
  } catch {
    return null;
  }
}

/** On a small screen it covers the map, so that an open one is never remembered from there. */
function isOpen(): boolean {
  if (folds.value) return opened.value;
  return chosenOpen.value ?? hasRoom.value;
}

function setOpen(open: boolean): void {
  if (folds.peek()) {
    opened.value = open;
    return;
  }
  chosenOpen.value = open;
  try {
    localStorage.setItem(KEY, open ? 'open' : 'closed');
  } catch {
    // Where nothing may be kept, the choice holds for this visit.
  }
}

export function LayerCard() {
  const open = isOpen();
  const beside = open && free.value.width >= BESIDE;
  // The whole plane is fitted beside an open card where that leaves enough of it.
  useLayoutEffect(() => {
    covered.value = beside ? CARD : 0;
  }, [beside]);
  const chosen = LAYERS.find((each) => each.layer === layer.value);
  const Chevron = open ? ChevronUp : ChevronDown;
  return (
    <section class="plane-card plane-layers" aria-label="Layers">
      <button
        type="button"
        class="plane-layers-head"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
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
