/** What changed between two moments, as a list. */
import { useRef, useState } from 'preact/hooks';

import { Minus, Pencil, Plus, type LucideIcon } from 'lucide-preact';

import { rowHeight, useWindow } from '../components/window';
import type { Change, Comparison } from '../engine/contract';
import { choose } from '../state/choose';
import { dialog } from '../state/dialogs';
import { endComparison } from '../state/snapshots';
import { bytes, nameOf, number, parentOf, shown } from '../state/text';

const ICONS: Record<Change['kind'], LucideIcon> = { added: Plus, removed: Minus, changed: Pencil };
const KINDS = ['added', 'changed', 'removed'] as const;

export function Changes({ comparison }: { comparison: Comparison }) {
  const scroller = useRef<HTMLDivElement>(null);
  const [only, setOnly] = useState<Change['kind'] | null>(null);
  const { before, after, changes, truncated } = comparison;
  const listed = only === null ? changes : changes.filter(({ kind }) => kind === only);
  const height = rowHeight() + 16;
  const { first, last } = useWindow(scroller, listed.length, height);
  return (
    <div class="list-panel">
      <div class="list-head">
        <p>
          From <strong>{before ?? 'the present'}</strong> to{' '}
          <strong>{after ?? 'the present'}</strong>
        </p>
        <div class="filters" role="group" aria-label="Show only">
          {KINDS.map((kind) => {
            const Icon = ICONS[kind];
            return (
              <button
                key={kind}
                type="button"
                class={`filter ${kind}`}
                aria-pressed={only === kind}
                onClick={() => setOnly(only === kind ? null : kind)}
              >
                <Icon size={13} aria-hidden="true" />
                {number(comparison[kind])} {kind}
              </button>
            );
          })}
        </div>
        <div class="list-actions">
          <button
            type="button"
            class="button quiet"
            onClick={() => (dialog.value = { kind: 'compare', before, after })}
          >
            Compare others
          </button>
          <button type="button" class="button quiet" onClick={endComparison}>
            Done
          </button>
        </div>
      </div>
      {listed.length === 0 ? (
        <p class="list-empty">{only === null ? 'Nothing changed.' : `Nothing was ${only}.`}</p>
      ) : (
        <div class="list-rows" ref={scroller}>
          <ul style={{ height: `${listed.length * height}px` }}>
            {listed.slice(first, last).map((change, offset) => (
              <ChangeRow
                key={change.path}
                change={change}
                top={`${(first + offset) * height}px`}
                height={`${height}px`}
              />
            ))}
          </ul>
        </div>
      )}
      {truncated && <p class="list-note">Only the first {number(changes.length)} are listed.</p>}
    </div>
  );
}

function ChangeRow({ change, top, height }: { change: Change; top: string; height: string }) {
  const Icon = ICONS[change.kind];
  return (
    <li style={{ top, height }}>
      <button type="button" class="list-row" onClick={() => void choose(change.path)}>
        <Icon class={`change-icon ${change.kind}`} size={15} aria-hidden="true" />
        <span class="list-text">
          <span>{shown(nameOf(change.path))}</span>
          <small>{shown(parentOf(change.path))}</small>
        </span>
        <span class="hidden-visually">{change.kind}</span>
        <small class="change-size">{sizes(change)}</small>
      </button>
    </li>
  );
}

function sizes({ type, sizeBefore, sizeAfter }: Change): string {
  if (type !== 'file') return '';
  if (sizeBefore !== undefined && sizeAfter !== undefined) {
    return sizeBefore === sizeAfter
      ? bytes(sizeAfter)
      : `${bytes(sizeBefore)} → ${bytes(sizeAfter)}`;
  }
  return bytes(sizeAfter ?? sizeBefore ?? 0);
}
