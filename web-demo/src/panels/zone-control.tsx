/** Where a file lies, and moving it to another zone. */
import type { Details } from '../engine/contract';
import { changeable } from '../state/choose';
import { placeIn, unplace } from '../state/files';
import { layout } from '../state/map';
import { number } from '../state/text';

export function ZoneControl({ found }: { found: Details }) {
  const { path, zone, distance, stored } = found;
  const zones = layout.value?.zones ?? [];
  return (
    <section class="zone-control" aria-labelledby="zone-title">
      <h3 id="zone-title">Place</h3>
      <p class="soft">
        {zone !== undefined
          ? `In the ${zone} zone${distance === undefined ? '' : `, ${number(distance)} pixels from the centre`}.`
          : stored === 0
            ? 'No clusters of its own: it lives in the tree.'
            : 'Where it lies is not known yet.'}
      </p>
      {changeable.value && (
        <>
          <div class="zones" role="group" aria-label="Move to zone">
            {zones.map(({ zone: name }) => (
              <button
                key={name}
                type="button"
                aria-pressed={name === zone}
                onClick={() => void placeIn(path, name)}
              >
                {name}
              </button>
            ))}
          </div>
          <button type="button" class="link" onClick={() => void unplace(path)}>
            Back to where the rules put it
          </button>
        </>
      )}
    </section>
  );
}
