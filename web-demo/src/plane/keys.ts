/** The keys of the plane, for whoever lists them. They work while the plane has the focus. */
export const PLANE_KEYS: readonly { keys: string[]; does: string }[] = [
  { keys: ['←', '↑', '→', '↓'], does: 'Move over the plane' },
  {
    keys: ['Shift', '←', '↑', '→', '↓'],
    does: 'Step by one cluster, at the deepest zoom by one pixel',
  },
  { keys: ['+', '−'], does: 'Zoom in, zoom out' },
  { keys: ['Home'], does: 'Show the whole plane' },
  { keys: ['Enter'], does: 'Choose what lies under the crosshair; with the brush: scratch it' },
  { keys: ['Escape'], does: 'Put the brush away, close a list, choose nothing' },
  { keys: ['1', '…', '7'], does: 'Layers: files, zones, heat, kinds, age, raw, changes' },
];
