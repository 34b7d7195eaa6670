/** Texts that have been changed and not saved. They wait here when the visitor looks at something else. */
import { effect, signal } from '@preact/signals';

import { confirm } from './dialogs';
import { openMap } from './map';
import { shown } from './text';

export const drafts = signal<ReadonlyMap<string, string>>(new Map());

export function keepDraft(path: string, text: string | undefined): void {
  const next = new Map(drafts.value);
  if (text === undefined) next.delete(path);
  else next.set(path, text);
  drafts.value = next;
}

/** Whether the map may be left although texts are not saved; they go when it is. */
export async function mayLeave(): Promise<boolean> {
  const paths = [...drafts.value.keys()];
  if (paths.length === 0) return true;
  return confirm({
    title: 'Leave without saving?',
    text: `What you changed in ${paths.map(shown).join(', ')} is not saved and would be lost.`,
    action: 'Discard the changes',
    danger: true,
  });
}

let lastAddress = '';
effect(() => {
  // What was written for one map is not for another.
  const from = openMap.value?.from;
  const address = from === undefined ? '' : `${from.kind} ${from.address}`;
  if (address === lastAddress) return;
  lastAddress = address;
  drafts.value = new Map();
});
