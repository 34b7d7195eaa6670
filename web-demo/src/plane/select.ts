/** Choosing what lies at a point. */
import { engine } from '../engine/client';
import type { Hit } from '../engine/contract';
import { announce, complain } from '../state/notices';
import { selection } from '../state/view';
import { shown } from '../state/text';
import { choice } from './pointing';
import { hitTitle } from './words';

let latest = 0;

/** A file becomes the selection, several are offered, free space clears. */
export async function selectAt(
  plane: { x: number; y: number },
  screen: { x: number; y: number },
): Promise<Hit | null> {
  const mine = ++latest;
  let hit: Hit;
  try {
    hit = await engine.hit(plane.x, plane.y);
  } catch (error) {
    complain(error);
    return null;
  }
  if (mine !== latest) return null;
  // A file that is open but has no name any more cannot be chosen by one.
  const files = (hit.files ?? []).filter(({ path }) => path !== '');
  if (files.length > 1) {
    choice.value = { hit: { ...hit, files }, screen };
    return hit;
  }
  choice.value = null;
  const [file] = files;
  if (file === undefined) {
    announce(
      selection.peek() === null ? hitTitle(hit) : `${hitTitle(hit)}. Nothing is chosen now.`,
    );
    selection.value = null;
  } else {
    selectPath(file.path);
  }
  return hit;
}

/** The click was the first half of something else. */
export function forgetClick(): void {
  latest += 1;
  choice.value = null;
}

export function selectPath(path: string): void {
  choice.value = null;
  selection.value = path;
  announce(`Chosen: ${shown(path)}`);
}
