/** The tree of files. One row has the keyboard; only rows in sight are drawn. */
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';

import type { RefObject, VNode } from 'preact';

import { rowHeight, useWindow } from '../components/window';
import type { Entry, OpenMap } from '../engine/contract';
import { changeable, choose } from '../state/choose';
import { removeAsking } from '../state/files';
import { shown } from '../state/text';
import {
  active,
  activeIndex,
  opened,
  renaming,
  rowIndex,
  rows,
  setOpen,
  type Row,
} from '../state/tree';
import { openEntryMenu } from './entry-menu';
import { TreeRow } from './tree-row';
import '../style/tree.css';

/** Letters typed within this time belong together. */
const TYPING = 700;
/** A row that is to come is there within this time. */
const COMING = 400;

export function Tree({ map }: { map: OpenMap }) {
  const scroller = useRef<HTMLDivElement>(null);
  const typed = useRef({ text: '', time: 0 });
  const height = rowHeight();
  const all = rows.value;
  const { first, last } = useWindow(scroller, all.length, height);
  const lastAt = useRef(0);
  const known = activeIndex.value;
  // A row that was renamed or deleted leaves the keyboard where it was.
  const at = known >= 0 ? known : entryNear(all, lastAt.current);
  lastAt.current = at;
  useKeptFocus(scroller, known >= 0);
  const drawn = useDrawn();

  // The row with the keyboard is brought into sight when it changes, not when the list does.
  useEffect(
    () =>
      active.subscribe((path) => {
        requestAnimationFrame(() =>
          bringIntoSight(scroller.current, rowIndex(rows.peek(), path), height),
        );
      }),
    [height],
  );

  function moveTo(index: number): void {
    const step = index >= at ? 1 : -1;
    let next = Math.max(0, Math.min(all.length - 1, index));
    while (all[next]?.kind === 'word') next += step;
    const row = all[next];
    if (row?.kind !== 'entry') return;
    active.value = row.entry.path;
    focusRow(next);
  }

  /** After the row has been drawn. */
  function focusRow(index: number): void {
    bringIntoSight(scroller.current, index, height);
    requestAnimationFrame(() => {
      scroller.current?.querySelector<HTMLElement>('[role="treeitem"][tabindex="0"]')?.focus();
    });
  }

  function type(letter: string): void {
    const now = Date.now();
    const text =
      (now - typed.current.time > TYPING ? '' : typed.current.text) + letter.toLowerCase();
    typed.current = { text, time: now };
    // The same letter again goes on to the next name; more letters narrow down from here.
    const start = text.length === 1 ? at + 1 : at;
    for (let step = 0; step < all.length; step += 1) {
      const index = (start + step) % all.length;
      const row = all[index];
      if (row?.kind === 'entry' && row.entry.name.toLowerCase().startsWith(text)) {
        moveTo(index);
        return;
      }
    }
  }

  function onKeyDown(event: KeyboardEvent): void {
    const row = all[at];
    if (row?.kind !== 'entry' || renaming.value !== null) return;
    if (event.altKey || event.metaKey || event.ctrlKey) return;
    const { entry } = row;
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 300) / height) - 1);
    switch (event.key) {
      case 'ArrowDown':
        moveTo(at + 1);
        break;
      case 'ArrowUp':
        moveTo(at - 1);
        break;
      case 'PageDown':
        moveTo(at + page);
        break;
      case 'PageUp':
        moveTo(at - page);
        break;
      case 'Home':
        moveTo(0);
        break;
      case 'End':
        moveTo(all.length - 1);
        break;
      case 'ArrowRight':
        if (entry.type !== 'directory') return;
        if (row.open) moveTo(at + 1);
        else setOpen(entry.path, true);
        break;
      case 'ArrowLeft':
        if (row.open && entry.path !== '/') setOpen(entry.path, false);
        else moveTo(above(all, at));
        break;
      case 'Enter':
      case ' ':
        void choose(entry.path);
        break;
      case 'F2':
        if (changeable.value && entry.path !== '/') renaming.value = entry.path;
        break;
      case 'Delete':
        if (changeable.value && entry.path !== '/') void removeAsking(entry);
        break;
      case 'ContextMenu':
      case 'F10': {
        if (event.key === 'F10' && !event.shiftKey) return;
        const box = scroller.current
          ?.querySelector('[role="treeitem"][tabindex="0"]')
          ?.getBoundingClientRect();
        openEntryMenu(entry, { x: (box?.left ?? 0) + 40, y: box?.bottom ?? 0 });
        break;
      }
      default:
        if (event.key.length !== 1 || event.key === '/' || event.key === '?') return;
        type(event.key);
    }
    event.preventDefault();
    event.stopPropagation();
  }

  const indices: number[] = [];
  for (let index = first; index < last; index += 1) indices.push(index);
  // Drawn even out of sight: a row that is taken away would lose the keyboard.
  if (at < first || at >= last) indices.push(at);

  return (
    <div ref={scroller} class="tree" role="tree" aria-label="Files" onKeyDown={onKeyDown}>
      <div class="tree-rows" role="presentation" style={{ height: `${all.length * height}px` }}>
        {indices.map((index) => {
          const row = all[index];
          if (row === undefined) return null;
          const top = `${index * height}px`;
          return row.kind === 'entry' ? (
            drawn(row, top, row.entry.path === '/' ? map.title : row.entry.name, index === at)
          ) : (
            <div
              key={`${row.path}/`}
              class={row.problem ? 'tree-word problem' : 'tree-word'}
              role="presentation"
              style={{ top, '--depth': `${Math.max(0, row.depth - 1)}` }}
              title={row.text}
            >
              {row.text}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function onChoose(entry: Entry): void {
  active.value = entry.path;
  void choose(entry.path);
}

function onToggle(entry: Entry): void {
  setOpen(entry.path, !opened.peek().has(entry.path));
}

type Drawn = (
  row: Extract<Row, { kind: 'entry' }>,
  top: string,
  name: string,
  isActive: boolean,
) => VNode;

/**
 * Draws rows, and gives the same element as the last time for one that is as it was: Preact passes
 * over it then, so that scrolling costs what comes into sight and not what stays there.
 */
function useDrawn(): Drawn {
  const last = useRef(
    new Map<Row, { top: string; name: string; isActive: boolean; node: VNode }>(),
  );
  const before = last.current;
  const now: typeof before = new Map();
  last.current = now;
  return (row, top, name, isActive) => {
    const kept = before.get(row);
    if (kept?.top === top && kept.name === name && kept.isActive === isActive) {
      now.set(row, kept);
      return kept.node;
    }
    const node = (
      <TreeRow
        key={row.entry.path}
        row={row}
        top={top}
        title={shown(name)}
        active={isActive}
        onChoose={onChoose}
        onToggle={onToggle}
      />
    );
    now.set(row, { top, name, isActive, node });
    return node;
  };
}

/** Gives the keyboard back to the tree when the row that had it is drawn anew. */
function useKeptFocus(scroller: RefObject<HTMLElement>, known: boolean): void {
  const had = useRef(false);
  useEffect(() => {
    const follow = (event: Event) => {
      if (event.target instanceof Node && event.target !== document.body) {
        had.current = scroller.current?.contains(event.target) === true;
      }
    };
    addEventListener('focusin', follow);
    addEventListener('pointerdown', follow);
    return () => {
      removeEventListener('focusin', follow);
      removeEventListener('pointerdown', follow);
    };
  }, [scroller]);
  useLayoutEffect(() => {
    if (!had.current || document.activeElement !== document.body) return undefined;
    const give = () => {
      if (document.activeElement !== document.body) return;
      scroller.current?.querySelector<HTMLElement>('[role="treeitem"][tabindex="0"]')?.focus();
    };
    if (known) {
      give();
      return undefined;
    }
    // A renamed row is still to come; after a while its neighbour will do.
    const timer = setTimeout(give, COMING);
    return () => clearTimeout(timer);
  });
}

/** The entry's row nearest to an index. */
function entryNear(all: readonly Row[], index: number): number {
  let at = Math.min(index, all.length - 1);
  while (at > 0 && all[at]?.kind !== 'entry') at -= 1;
  return Math.max(0, at);
}

function above(all: readonly Row[], index: number): number {
  const depth = all[index]?.depth ?? 0;
  let at = index;
  while (at > 0 && (all[at]?.depth ?? 0) >= depth) at -= 1;
  return at;
}

function bringIntoSight(scroller: HTMLElement | null, index: number, height: number): void {
  if (scroller === null || index < 0) return;
  const top = index * height;
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (top + height > scroller.scrollTop + scroller.clientHeight) {
    scroller.scrollTop = top + height - scroller.clientHeight;
  }
}
