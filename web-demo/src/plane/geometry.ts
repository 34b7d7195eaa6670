/** The geometry of the plane that the page needs for drawing over it. */
import type { PlaneLayout } from '../engine/contract';
import type { Bounds } from '../state/view';

/** Side of a cluster's tile, in plane pixels. */
export const CLUSTER = 32;
export const CLUSTER_BYTES = 4096;

/** Column and row of a sheet on the square spiral round sheet 0, in sheets; rows grow downward. */
export function sheetPosition(sheet: number): [column: number, row: number] {
  const ring = Math.ceil(Math.floor(Math.sqrt(sheet)) / 2);
  if (ring === 0) return [0, 0];
  const inner = 2 * ring - 1;
  // 0 is the first sheet of the ring: east, one above its lower right corner.
  const step = sheet - inner * inner;
  const side = 2 * ring;
  const along = (step % side) + 1;
  switch (Math.floor(step / side)) {
    case 0:
      return [ring, ring - along];
    case 1:
      return [ring - along, -ring];
    case 2:
      return [-ring, along - ring];
    default:
      return [along - ring, ring];
  }
}

export function zoneAt(
  layout: PlaneLayout,
  distance: number,
): PlaneLayout['zones'][number] | undefined {
  return (
    layout.zones.find(({ outer }) => outer === null || distance < outer) ?? layout.zones.at(-1)
  );
}

export function intersects(a: Bounds, b: Bounds): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
