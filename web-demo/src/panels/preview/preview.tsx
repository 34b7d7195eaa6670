/** What is in a file: as text, as a picture, as bytes. */
import { useState } from 'preact/hooks';

import { Maximize2, Minimize2 } from 'lucide-preact';

import { late } from '../../components/late';
import { Tabs } from '../../components/tabs';
import type { Details } from '../../engine/contract';
import { widened } from '../../state/window';
import { firstView, viewsOf, type View } from './kinds';
import { TextView } from './text';
import '../../style/preview.css';

const HexView = late(() => import('./hex').then((part) => part.HexView));
const ImageView = late(() => import('./image').then((part) => part.ImageView));

const LABELS: Record<View, string> = { text: 'Text', image: 'Image', hex: 'Hex' };

export function Preview({ found }: { found: Details }) {
  const [chosen, setChosen] = useState<View | null>(null);
  const views = viewsOf(found);
  const view = chosen ?? firstView(found);
  const wide = widened.value;
  return (
    <section class="preview" aria-label="Preview">
      <div class="preview-head">
        <Tabs
          label="Preview as"
          id="preview"
          tabs={views.map((key) => ({ key, label: LABELS[key] }))}
          current={view}
          onChoose={setChosen}
        />
        <button
          type="button"
          class="icon-button"
          aria-label={wide ? 'Narrow panel' : 'Wide panel'}
          title={wide ? 'Narrow panel' : 'Wide panel'}
          onClick={() => (widened.value = !wide)}
        >
          {wide ? (
            <Minimize2 size={15} aria-hidden="true" />
          ) : (
            <Maximize2 size={15} aria-hidden="true" />
          )}
        </button>
      </div>
      <div
        class="preview-body"
        role="tabpanel"
        id="preview-panel"
        aria-labelledby={`preview-${view}`}
        key={found.path}
      >
        {view === 'text' && (
          <TextView found={found} onBinary={chosen === null ? () => setChosen('hex') : undefined} />
        )}
        {view === 'image' && <ImageView found={found} />}
        {view === 'hex' && <HexView found={found} />}
      </div>
    </section>
  );
}
