/** Keys that work anywhere in the page, except where text is typed. */
import { changeable } from './choose';
import { dialog } from './dialogs';
import { openMap } from './map';
import { toggleBrush } from './scratching';
import { takeSnapshot } from './snapshots';
import { focusPanel, leftTab, overlay, room } from './window';

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches('input, textarea, select'))
  );
}

/** @returns what ends it */
export function listenToKeys(): () => void {
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (dialog.value !== null || isTyping(event.target)) return;
    if (event.key === '?') {
      dialog.value = { kind: 'keys' };
    } else if (openMap.value === null) {
      return;
    } else if (event.key === '/') {
      document.getElementById('search')?.focus();
    } else if (event.key === 't' || event.key === 'T') {
      // In the tree letters jump to names.
      if (event.target instanceof Element && event.target.closest('[role="tree"]') !== null) return;
      leftTab.value = 'files';
      focusPanel('files');
    } else if (event.target instanceof Element && event.target.closest('[role="tree"]') !== null) {
      return;
    } else if (event.key === 'd' || event.key === 'D') {
      focusPanel('details');
    } else if (event.key === 'p' || event.key === 'P') {
      if (room.value !== 'wide') overlay.value = null;
      document.getElementById('plane')?.focus();
    } else if ((event.key === 's' || event.key === 'S') && changeable.value) {
      void takeSnapshot();
    } else if (event.key === 'e' || event.key === 'E') {
      toggleBrush();
    } else if (event.key === 'Escape' && room.value === 'middle' && overlay.value !== null) {
      overlay.value = null;
    } else {
      return;
    }
    event.preventDefault();
  };
  addEventListener('keydown', onKeyDown);
  return () => removeEventListener('keydown', onKeyDown);
}
