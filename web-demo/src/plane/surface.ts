/** The plane's moving parts put together, and what makes each of them paint again. */
import { effect } from '@preact/signals';

import { engine } from '../engine/client';
import { changeable } from '../state/choose';
import { filesRevision, heatRevision, index, layout, openMap, planeChange } from '../state/map';
import { brush, layer, selection, theme, tool, type Bounds } from '../state/view';
import { damageRevision, report } from '../state/verify';
import { ByteValues } from './byte-values';
import { Chart } from './chart';
import { current } from './current';
import { Front } from './front';
import { listenForKeys } from './keyboard';
import { paintCrosshair, paintOutline, paintScratches, paintTarget } from './marks';
import { acceptRows, target } from './placing';
import { listenForPointer } from './pointer';
import { hovered, pointing } from './pointing';
import { paintGrid, paintRings } from './rings';
import { freshMarks, listenForStrokes } from './scratching';
import { later } from './later';
import { LayerTiles, OverlayTiles } from './tiles';
import { MAX_ZOOM, MIN_ZOOM } from './zoom-limits';
import { heed } from '../state/heed';

/** How soon tiles are painted again after one change, so that many changes are one. */
const PLANE_PAUSE = 120;
const HEAT_PAUSE = 350;
const INDEX_PAUSE = 900;

/** @returns what takes all of it away again */
export function raiseSurface(element: HTMLElement): () => void {
  const chart = new Chart(element);
  const { map } = chart;
  const shown = (): { layer: typeof layer.value; theme: typeof theme.value } => ({
    layer: layer.peek(),
    theme: theme.peek(),
  });
  for (const [name, height] of [
    ['selectionPane', '300'],
    ['damagePane', '310'],
  ] as const) {
    const pane = map.createPane(name);
    pane.style.zIndex = height;
    pane.classList.add(`plane-${name}`);
  }
  const zooms = { min: MIN_ZOOM, max: MAX_ZOOM };
  const ground = new LayerTiles(shown, zooms).addTo(map);
  const marked = new OverlayTiles('selection', shown, zooms);
  const damage = new OverlayTiles('damage', shown, zooms);
  const byteValues = new ByteValues();
  const front = new Front(chart, [
    paintGrid,
    byteValues.paint,
    paintRings,
    paintScratches,
    paintOutline,
    paintTarget,
    paintCrosshair,
  ]);
  byteValues.front = front;

  const show = (overlay: OverlayTiles, wanted: boolean): void => {
    if (wanted === map.hasLayer(overlay)) {
      if (wanted) overlay.repaint();
    } else if (wanted) map.addLayer(overlay);
    else map.removeLayer(overlay);
  };

  // Areas of changes that came close together are one; a change without one is everywhere.
  let area: Bounds | 'all' | undefined;
  const repaintChanged = later(PLANE_PAUSE, () => {
    const which = area === 'all' || area === undefined ? {} : { area };
    area = undefined;
    for (const tiles of [ground, marked, damage]) {
      if (map.hasLayer(tiles)) tiles.repaint(which);
    }
    byteValues.forget();
  });
  const repaintHeat = later(HEAT_PAUSE, () => {
    if (layer.peek() === 'heat') ground.repaint();
  });
  const repaintPartial = later(INDEX_PAUSE, () => ground.repaint({ partial: true }));

  let first = true;
  let lastChange = planeChange.peek().revision;
  let marking = 0;
  const disposers = [
    effect(() => {
      heed(openMap.value);
      chart.arrive();
      if (!first) ground.redraw();
      first = false;
      byteValues.forget();
    }),
    effect(() => {
      if (layout.value === null) return;
      chart.limitZoom();
      for (const tiles of [ground, marked, damage]) tiles.extend();
      front.invalidate();
    }),
    effect(() => {
      element.dataset['layer'] = layer.value;
      ground.repaint();
      front.invalidate();
    }),
    effect(() => {
      heed(theme.value);
      // The root's attribute that the colours hang on is set by another listener of the same signal.
      requestAnimationFrame(() => front.recolour());
      for (const tiles of [ground, marked, damage]) tiles.repaint();
    }),
    effect(() => {
      const change = planeChange.value;
      if (change.revision === lastChange) return;
      lastChange = change.revision;
      area = change.area === undefined || area === 'all' ? 'all' : joined(area, change.area);
      repaintChanged();
    }),
    effect(() => {
      heed(heatRevision.value);
      repaintHeat();
    }),
    effect(() => {
      heed(index.value);
      repaintPartial();
    }),
    effect(() => {
      const path = openMap.value === null ? null : selection.value;
      // Its clusters may be others now.
      heed(filesRevision.value);
      const mine = ++marking;
      engine
        .mark(path)
        .then(() => {
          if (mine === marking) show(marked, path !== null);
        })
        // The details say it when the file is gone.
        .catch(() => show(marked, false));
    }),
    effect(() => {
      heed(damageRevision.value);
      show(damage, report.value !== null && report.value.problems.length > 0);
    }),
    effect(() => {
      heed(hovered.value, pointing.value, freshMarks.value, target.value, brush.value);
      front.invalidate();
    }),
    effect(() => {
      const scratching = tool.value === 'scratch' && changeable.value;
      element.classList.toggle('scratching', scratching);
      if (scratching) map.dragging.disable();
      else map.dragging.enable();
      if (tool.value === 'scratch' && !changeable.value) tool.value = 'look';
      front.invalidate();
    }),
    listenForPointer(chart),
    listenForKeys(chart),
    listenForStrokes(chart),
    acceptRows(chart),
  ];
  current.value = chart;
  return () => {
    current.value = null;
    for (const timer of [repaintChanged, repaintHeat, repaintPartial]) timer.cancel();
    for (const dispose of disposers) dispose();
    front.dispose();
    chart.dispose();
  };
}

function joined(a: Bounds | undefined, b: Bounds): Bounds {
  if (a === undefined) return b;
  return {
    left: Math.min(a.left, b.left),
    top: Math.min(a.top, b.top),
    right: Math.max(a.right, b.right),
    bottom: Math.max(a.bottom, b.bottom),
  };
}
