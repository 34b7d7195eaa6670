/** Closing a map, and going on in a copy of it. */
import { callback, engine } from '../engine/client';
import { ask, confirm, dialog } from './dialogs';
import { drafts, mayLeave } from './drafts';
import { importing, mapName } from './importing';
import { closeMap, openMap, show } from './map';
import { complain, problemOf } from './notices';
import { shown } from './text';
import { report } from './verify';
import { comparison } from './view';
import { leftTab, overlay } from './window';

/** Room can be made by deleting maps that are not needed. */
const SHOW_MAPS = { action: 'Make room', run: () => (dialog.value = { kind: 'maps' }) };

export async function leave(): Promise<void> {
  if (openMap.value === null || !(await mayClose())) return;
  forget();
  try {
    if (openMap.peek() !== null) await closeMap();
  } catch (error) {
    complain(error);
  }
}

/** Whether the open map, if any, may be closed: asks about each thing that would be lost by it. */
export async function mayClose(): Promise<boolean> {
  const map = openMap.value;
  if (map === null) return true;
  if (importing.value !== null) {
    const yes = await confirm({
      title: 'Stop bringing files in?',
      text: 'Files are still on their way into this map. What is in already is kept.',
      action: 'Stop and close',
    });
    if (!yes) return false;
    importing.peek()?.feed.stop();
  }
  if (!(await mayLeave())) return false;
  if (map.writable && !map.kept) {
    return confirm({
      title: `Close ${shown(map.title)}?`,
      text: 'This map is only in memory and would be gone. Download it first to have it again.',
      action: 'Close it',
      danger: true,
    });
  }
  return !map.writable || isSaved();
}

addEventListener('beforeunload', (event) => {
  const map = openMap.value;
  const onlyHere = map !== null && map.writable && !map.kept;
  if (drafts.value.size > 0 || importing.value !== null || onlyHere) event.preventDefault();
});

/** Whether everything is on the disk, or the visitor lets go of what is not. */
async function isSaved(): Promise<boolean> {
  try {
    await engine.sync();
    return true;
  } catch (error) {
    const { message, advice, reason } = problemOf(error);
    const yes = await confirm({
      ...(reason === 'no-space' && { instead: SHOW_MAPS }),
      title: 'The last changes could not be saved',
      text: `${message}${advice === undefined ? '' : ` ${advice}`} What is not saved is lost when the map is closed.`,
      action: 'Close and lose them',
      danger: true,
    });
    // Done here, so that nobody who asked tries once more to keep them.
    if (yes) await closeMap(true);
    return yes;
  }
}

/** What was said about the map before. */
function forget(): void {
  report.value = null;
  comparison.value = null;
  leftTab.value = 'files';
  overlay.value = null;
}

export async function editCopy(): Promise<void> {
  const map = openMap.value;
  if (map === null) return;
  const answer = await ask({
    title: 'Edit a copy',
    text: 'The whole map is copied into this browser, where you can change it. The original stays as it is.',
    label: 'Name of the copy',
    value: mapName(map.title),
    action: 'Copy and open',
    check: (name) => (name.trim() === '' ? 'A name is needed.' : undefined),
  });
  if (answer === null) return;
  forget();
  await show(`Copying ${shown(map.title)}`, (onProgress) =>
    engine.editCopy(answer.value.trim(), callback(onProgress)),
  );
}
