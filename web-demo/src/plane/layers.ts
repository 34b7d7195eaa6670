/** The layers as the visitor meets them: their order is that of the keys 1 to 7. */
import {
  Binary,
  CircleDot,
  Flame,
  FolderTree,
  GitCompareArrows,
  Hourglass,
  Shapes,
} from 'lucide-preact';

import type { Layer } from '../engine/contract';

export interface LayerChoice {
  layer: Layer;
  name: string;
  /** What it shows, in half a sentence. */
  shows: string;
  Icon: typeof Flame;
}

export const LAYERS: readonly LayerChoice[] = [
  { layer: 'files', name: 'Files', shows: 'a colour for each top folder', Icon: FolderTree },
  { layer: 'zones', name: 'Zones', shows: 'hot in the centre, cold outside', Icon: CircleDot },
  { layer: 'heat', name: 'Heat', shows: 'what has been read lately', Icon: Flame },
  { layer: 'kinds', name: 'Kinds', shows: 'data, tree, parity, free', Icon: Shapes },
  { layer: 'age', name: 'Age', shows: 'when it was last changed', Icon: Hourglass },
  { layer: 'raw', name: 'Raw', shows: 'the very bytes, as the picture has them', Icon: Binary },
  {
    layer: 'changes',
    name: 'Changes',
    shows: 'what differs between two states',
    Icon: GitCompareArrows,
  },
];
