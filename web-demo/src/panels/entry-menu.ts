/** What can be done with an entry, as a menu. */
import {
  Crosshair,
  Download,
  FilePlus,
  FolderPlus,
  Locate,
  Pencil,
  Trash2,
  Undo2,
} from 'lucide-preact';

import { openMenuAt, type MenuItem } from '../components/menu';
import type { Entry } from '../engine/contract';
import { changeable, choose } from '../state/choose';
import { download, newFile, newFolder, placeIn, removeAsking, unplace } from '../state/files';
import { layout } from '../state/map';
import { nameOf, parentOf, shown } from '../state/text';
import { active, renaming, reveal } from '../state/tree';
import { focusPanel, leftTab } from '../state/window';

export function openEntryMenu(
  entry: Pick<Entry, 'path' | 'type' | 'size'>,
  point: { x: number; y: number },
): void {
  const { path, type } = entry;
  const root = path === '/';
  const directory = type === 'directory' ? path : parentOf(path);
  const items: (MenuItem | 'line')[] = [
    { label: 'Fly there', icon: Locate, action: () => choose(path) },
  ];
  if (type === 'file' || (type === 'directory' && !root)) {
    items.push({
      label: type === 'directory' ? 'Download as .zip' : 'Download',
      icon: Download,
      action: () => download(path),
    });
  }
  if (changeable.value) {
    items.push('line');
    items.push(
      { label: 'New folder', icon: FolderPlus, action: () => newFolder(directory) },
      { label: 'New text file', icon: FilePlus, action: () => newFile(directory) },
    );
    if (!root) {
      items.push({
        label: 'Rename',
        icon: Pencil,
        action: () => rename(path),
      });
      if (type === 'file' || type === 'directory') {
        items.push('line', {
          label: 'Place in a zone…',
          icon: Crosshair,
          hint: 'Nearer to or farther from the centre',
          action: () => requestAnimationFrame(() => openZoneMenu(path, point)),
        });
      }
      items.push('line', {
        label: 'Delete',
        icon: Trash2,
        danger: true,
        action: () => removeAsking(entry),
      });
    }
  }
  openMenuAt(`Actions for ${shown(nameOf(path))}`, items, point);
}

/** Where the row is, its name is changed there; so it is brought into sight first. */
async function rename(path: string): Promise<void> {
  leftTab.value = 'files';
  focusPanel('files');
  await reveal(path);
  active.value = path;
  renaming.value = path;
}

function openZoneMenu(path: string, point: { x: number; y: number }): void {
  const zones = layout.value?.zones ?? [];
  const items: (MenuItem | 'line')[] = zones.map(({ zone, inner, outer }) => ({
    label: zone.charAt(0).toUpperCase() + zone.slice(1),
    hint:
      outer === null
        ? `Beyond ${Math.round(inner)} pixels from the centre`
        : `${Math.round(inner)} to ${Math.round(outer)} pixels from the centre`,
    action: () => placeIn(path, zone),
  }));
  items.push('line', {
    label: 'Where the rules put it',
    icon: Undo2,
    action: () => unplace(path),
  });
  openMenuAt('Zone', items, point);
}
