/** Where a file lies, and moving it to another zone. */
import type { Details } from '../engine/contract';
import { changeable } from '../state/choose';
import { placeIn, unplace } from '../state/files';
import { layout } from '../state/map';
import { number } from '../state/text';

/** Small files have no clusters of their own: their bytes lie in the tree, beside their names. */
export function isInTree({ type, extents, stored }: Details): boolean {
  if (type !== 'file') return false;
  return extents.length === 0
    ? stored === 0
    : extents.every(({ cluster }) => cluster === undefined);
}

function placeWords(found: Details): string {
  const { type, zone, distance, size } = found;
  if (zone !== undefined) {
    const far =
      distance === undefined ? '' : `, ${number(Math.round(distance))} pixels from the centre`;
    return `In the ${zone} zone${far}.`;
  }
  if (type === 'directory') {
    return changeable.value
      ? 'What lies below it has places of its own, which move together:'
      : 'What lies below it has places of its own.';
  }
  if (size === 0) return 'It is empty, and takes no place.';
  return isInTree(found)
    ? 'It is so small that it lies in the tree, and has no place of its own.'
    : 'Where it lies is not known yet.';
}

export function ZoneControl({ found }: { found: Details }) {
  const { path, zone } = found;
  const zones = layout.value?.zones ?? [];
  return (
    <section class="zone-control" aria-labelledby="zone-title">
      <h3 id="zone-title">Place</h3>
      <p class="soft">{placeWords(found)}</p>
      {changeable.value && !isInTree(found) && (
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
