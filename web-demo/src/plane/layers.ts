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
  /** What it shows, in a sentence. */
  shows: string;
  Icon: typeof Flame;
}

export const LAYERS: readonly LayerChoice[] = [
  { layer: 'files', name: 'Files', shows: 'A colour for each top folder.', Icon: FolderTree },
  { layer: 'zones', name: 'Zones', shows: 'Hot in the centre, cold outside.', Icon: CircleDot },
  { layer: 'heat', name: 'Heat', shows: 'What has been read lately.', Icon: Flame },
  { layer: 'kinds', name: 'Kinds', shows: 'What each cluster is used for.', Icon: Shapes },
  { layer: 'age', name: 'Age', shows: 'When it was last changed.', Icon: Hourglass },
  { layer: 'raw', name: 'Raw', shows: 'The picture as it is.', Icon: Binary },
  {
    layer: 'changes',
    name: 'Changes',
    shows: 'What differs between two states.',
    Icon: GitCompareArrows,
  },
];
