/** The whole plane, small, and where the view is in it. */
import { computed, useSignalEffect } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';

import { engine } from '../engine/client';
import type { PlaneLayout } from '../engine/contract';
import { layout, openMap, planeChange } from '../state/map';
import { camera, layer, theme } from '../state/view';
import { current } from './current';
import { later } from './later';
import { MIN_ZOOM } from './zoom-limits';
import { heed } from '../state/heed';

const SIDE = 132;
const TILE = 256;
/** The picture is small: it can be late. */
const PAUSE = 2500;

const outOfSight = computed(() => {
  heed(camera.value);
  heed(layout.value);
  return current.value !== null && !current.value.seesWhole();
});

/** Screen pixels of the minimap for one plane pixel. */
function scaleOf(whole: PlaneLayout): number {
  return SIDE / Math.max(whole.right - whole.left, whole.bottom - whole.top, 1);
}

let drawing = 0;

async function draw(canvas: HTMLCanvasElement): Promise<void> {
  const whole = layout.peek();
  const context = canvas.getContext('2d');
  if (whole === null || openMap.peek() === null || context === null) return;
  const mine = ++drawing;
  const dense = Math.min(devicePixelRatio, 2);
  const scale = scaleOf(whole) * dense;
  const zoom = Math.max(Math.ceil(Math.log2(scale)), MIN_ZOOM);
  const side = TILE / 2 ** zoom;
  const width = Math.round((whole.right - whole.left) * scale);
  const height = Math.round((whole.bottom - whole.top) * scale);
  const asked: Promise<void>[] = [];
  const picture = new OffscreenCanvas(Math.max(width, 1), Math.max(height, 1));
  const into = picture.getContext('2d');
  for (let row = Math.floor(whole.top / side); row * side < whole.bottom; row += 1) {
    for (let column = Math.floor(whole.left / side); column * side < whole.right; column += 1) {
      asked.push(
        engine
          .tile({ layer: layer.peek(), theme: theme.peek(), zoom, column, row, size: TILE })
          .then(({ bitmap }) => {
            into?.drawImage(
              bitmap,
              (column * side - whole.left) * scale,
              (row * side - whole.top) * scale,
              side * scale,
              side * scale,
            );
            bitmap.close();
          }),
      );
    }
  }
  try {
    await Promise.all(asked);
  } catch {
    return;
  }
  if (mine !== drawing) return;
  canvas.width = picture.width;
  canvas.height = picture.height;
  context.drawImage(picture, 0, 0);
}

export function Minimap() {
  const shown = outOfSight.value && layout.value !== null;
  return shown ? <Picture whole={layout.value as PlaneLayout} /> : null;
}

function Picture({ whole }: { whole: PlaneLayout }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const soon = useMemo(
    () => later(PAUSE, () => void (canvas.current !== null && draw(canvas.current))),
    [],
  );
  useEffect(() => () => soon.cancel(), [soon]);
  useSignalEffect(() => {
    heed(layer.value, theme.value, openMap.value);
    if (canvas.current !== null) void draw(canvas.current);
  });
  useSignalEffect(() => {
    heed(planeChange.value);
    soon();
  });

  const scale = scaleOf(whole);
  const width = (whole.right - whole.left) * scale;
  const height = (whole.bottom - whole.top) * scale;
  const go = (event: PointerEvent): void => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    current
      .peek()
      ?.putInMiddle(
        whole.left + (event.clientX - box.left) / scale,
        whole.top + (event.clientY - box.top) / scale,
      );
  };
  return (
    <div
      class="plane-card plane-minimap"
      aria-hidden="true"
      style={{ width: `${width}px`, height: `${height}px` }}
      onPointerDown={(event) => {
        event.preventDefault();
        event.currentTarget.setPointerCapture(event.pointerId);
        go(event);
      }}
      onPointerMove={(event) => {
        if (event.currentTarget.hasPointerCapture(event.pointerId)) go(event);
      }}
    >
      <canvas ref={canvas} />
      <Window whole={whole} scale={scale} width={width} height={height} />
    </div>
  );
}

interface WindowProps {
  whole: PlaneLayout;
  scale: number;
  width: number;
  height: number;
}

/** The part that is in view and under no panel; never too small to be seen. */
function Window({ whole, scale, width, height }: WindowProps) {
  heed(camera.value);
  const chart = current.value;
  if (chart === null) return null;
  const size = chart.map.getSize();
  const insets = chart.insets();
  const corner = chart.toPlane({ x: insets.left, y: insets.top });
  const opposite = chart.toPlane({ x: size.x - insets.right, y: size.y - insets.bottom });
  const left = Math.max((corner.x - whole.left) * scale, -1);
  const top = Math.max((corner.y - whole.top) * scale, -1);
  const right = Math.min((opposite.x - whole.left) * scale, width + 1);
  const bottom = Math.min((opposite.y - whole.top) * scale, height + 1);
  const least = 8;
  const wide = Math.max(right - left, least);
  const tall = Math.max(bottom - top, least);
  return (
    <span
      class="plane-window"
      style={{
        left: `${Math.min(left, left + (right - left - wide) / 2)}px`,
        top: `${Math.min(top, top + (bottom - top - tall) / 2)}px`,
        width: `${wide}px`,
        height: `${tall}px`,
      }}
    />
  );
}
