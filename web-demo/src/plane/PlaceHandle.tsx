/** The handle on a chosen file by which it is dragged to another zone, and what the drag would do. */
import { Move } from 'lucide-preact';

import { changeable } from '../state/choose';
import { details } from '../state/details';
import { camera, selection, tool } from '../state/view';
import { current } from './current';
import { CLUSTER } from './geometry';
import { dragFrom, target } from './placing';
import { distanceWords, splitPath } from './words';
import { heed } from '../state/heed';

/** Details in the panel offer the same by keyboard, so this is for pointers alone. */
export function PlaceHandle() {
  const chart = current.value;
  const path = selection.value;
  // Read so that the handle moves with the map.
  heed(camera.value);
  const known = details.value;
  const bounds = known?.path === path ? known.bounds : undefined;
  if (chart === null || path === null || bounds === undefined) return null;
  if (!changeable.value || tool.value !== 'look' || target.value !== null) return null;
  // On its first piece: the middle of a file in many pieces is often somebody else's.
  const piece = known?.extents.find(({ planeX }) => planeX !== undefined);
  const { x, y } = chart.toScreen(
    piece?.planeX ?? (bounds.left + bounds.right) / 2,
    piece?.planeY === undefined ? bounds.top : piece.planeY - CLUSTER / 2,
  );
  const size = chart.map.getSize();
  if (x < 0 || y < 0 || x > size.x || y > size.y) return null;
  return (
    <div
      class="plane-handle"
      aria-hidden="true"
      title={`Drag ${splitPath(path)[1]} to another zone`}
      style={{ transform: `translate(${Math.round(x)}px, ${Math.round(y)}px)` }}
      onPointerDown={(event) => {
        event.preventDefault();
        dragFrom(chart, path, event);
      }}
    >
      <Move size={14} />
    </div>
  );
}

export function TargetLabel() {
  const place = target.value;
  if (place === null) return null;
  return (
    <div
      class="plane-card plane-target"
      aria-hidden="true"
      style={{
        transform: `translate(${Math.round(place.screen.x + 16)}px, ${Math.round(place.screen.y + 16)}px)`,
      }}
    >
      <span class="plane-zone" data-zone={place.zone}>
        {place.zone}
      </span>{' '}
      <span class="plane-soft">{distanceWords(place)}</span>
    </div>
  );
}
