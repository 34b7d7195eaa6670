/** What the colours mean, and how much there is of each. */
import { signal, useSignalEffect } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';

import { engine } from '../engine/client';
import type { Legend as LegendOf } from '../engine/contract';
import { heatRevision, index, openMap, planeChange } from '../state/map';
import { complain } from '../state/notices';
import { bytes } from '../state/text';
import { layer, theme } from '../state/view';
import { CLUSTER_BYTES } from './geometry';
import { later } from './later';
import { heed } from '../state/heed';

const PAUSE = 500;

const legend = signal<LegendOf | null>(null);
let asked = 0;

async function read(): Promise<void> {
  if (openMap.peek() === null) return;
  const mine = ++asked;
  const found = await engine.legend(layer.peek(), theme.peek()).catch(() => null);
  if (mine === asked) legend.value = found;
}

export function Legend() {
  const readLater = useMemo(() => later(PAUSE, () => void read()), []);
  useEffect(() => () => readLater.cancel(), [readLater]);
  useSignalEffect(() => {
    heed(layer.value, theme.value, openMap.value);
    void read();
  });
  useSignalEffect(() => {
    heed(planeChange.value, index.value, heatRevision.value);
    readLater();
  });

  const shown = legend.value;
  return (
    <div class="plane-legend">
      {shown !== null && shown.layer === layer.value ? (
        <Body legend={shown} />
      ) : (
        <p class="plane-soft">Reading…</p>
      )}
      <IndexProgress />
    </div>
  );
}

function Body({ legend: { swatches, scale, note } }: { legend: LegendOf }) {
  return (
    <>
      {scale !== undefined && (
        <div class="plane-scale">
          <span
            class="plane-ramp"
            style={{ background: `linear-gradient(to right, ${scale.colors.join(', ')})` }}
          />
          <span>{scale.from}</span>
          <span>{scale.to}</span>
        </div>
      )}
      {swatches.length > 0 && (
        <ul class="plane-swatches">
          {swatches.map(({ key, label, color, clusters }) => (
            <li key={key}>
              <i style={{ background: color }} />
              <span>{label}</span>
              <span class="plane-soft">{bytes(clusters * CLUSTER_BYTES)}</span>
            </li>
          ))}
        </ul>
      )}
      {note !== undefined && <p class="plane-soft">{note}</p>}
    </>
  );
}

/** Which file owns which cluster is read bit by bit; the layers that need it say how far it is. */
function IndexProgress() {
  const so = index.value;
  const needed = layer.value === 'files' || layer.value === 'age' || layer.value === 'changes';
  if (!needed || so === null || so.complete) return null;
  if (so.waiting) {
    return (
      <div class="plane-index">
        <p class="plane-soft">
          Which file lies where is known so far only for what was looked at. The rest of the index
          has to be fetched.
        </p>
        <button
          type="button"
          class="plane-button"
          onClick={() => void engine.readIndex().catch(complain)}
        >
          Read the whole index
        </button>
      </div>
    );
  }
  return (
    <div class="plane-index">
      <p class="plane-soft" id="plane-index-label">
        Reading which file lies where
      </p>
      <progress
        aria-labelledby="plane-index-label"
        {...(so.total > 0 ? { value: so.done, max: so.total } : {})}
      />
    </div>
  );
}
