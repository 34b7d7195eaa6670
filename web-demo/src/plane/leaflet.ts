/**
 * Leaflet as the plane uses it: a CRS whose units are plane pixels, and the few functions of the
 * library that are not in its public types but are what its own gestures are made of.
 */
import L from 'leaflet';

export { L };

/** x to the right, y downward, one unit is one pixel at zoom 0. */
export const PLANE: L.CRS = L.Util.extend({}, L.CRS.Simple, {
  transformation: new L.Transformation(1, 0, 1, 0),
});

export interface InnerMap {
  _move(center: L.LatLng, zoom: number, data?: { flyTo?: boolean; pinch?: boolean }): void;
  _moveStart(zoomChanged: boolean, noMoveStart: boolean): void;
  _moveEnd(zoomChanged: boolean): void;
  _getNewPixelOrigin(center: L.LatLng, zoom: number): L.Point;
  _stop(): void;
}

export interface InnerTile {
  el: HTMLElement;
  coords: L.Coords;
  current: boolean;
}

export interface InnerLevel {
  el: HTMLElement;
  zoom: number;
}

export interface InnerGrid {
  /** Null or missing while the grid is on no map. */
  _tiles: Record<string, InnerTile> | null | undefined;
  _tileZoom: number | undefined;
  _update(): void;
}

/** Is there at once, and the tiles that are there stay until better ones are; `setView` drops them. */
export function jumpTo(map: L.Map, center: L.LatLng, zoom: number): void {
  const inner = map as unknown as InnerMap;
  inner._stop();
  inner._moveStart(true, false);
  // At the same zoom the tiles would not hear of it otherwise.
  inner._move(center, zoom, zoom === map.getZoom() ? { pinch: true } : undefined);
  inner._moveEnd(true);
}

/** Leaflet's points are (latitude, longitude); ours are (y, x). */
export function at(x: number, y: number): L.LatLng {
  return L.latLng(y, x);
}
