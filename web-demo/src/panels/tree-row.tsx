/** One row of the tree: it can be chosen, opened, renamed in place, dragged, and dropped on. */
import { useEffect, useRef, useState } from 'preact/hooks';

import { ChevronRight, HardDrive } from 'lucide-preact';

import { FileIcon } from '../components/file-icon';
import type { Entry } from '../engine/contract';
import { changeable } from '../state/choose';
import { drafts } from '../state/drafts';
import { incomingOfDrop, withFolder } from '../state/feed';
import { moveInto, moveTo, PATH_TYPE } from '../state/files';
import { bringIn } from '../state/importing';
import { bytes, joined, nameProblem, parentOf, shown } from '../state/text';
import { active, renaming, setOpen, type Row } from '../state/tree';
import { selection } from '../state/view';
import { openEntryMenu } from './entry-menu';

/** A closed folder opens when something is held over it for this long. */
const HOLDING = 700;

interface TreeRowProps {
  row: Extract<Row, { kind: 'entry' }>;
  top: string;
  title: string;
  active: boolean;
  onChoose: (entry: Entry) => void;
  onToggle: (entry: Entry) => void;
}

export function TreeRow({ row, top, title, active: isActive, onChoose, onToggle }: TreeRowProps) {
  const { entry, depth, position, siblings, open } = row;
  const directory = entry.type === 'directory';
  const root = entry.path === '/';
  const editing = renaming.value === entry.path;
  const { over, ...dropping } = useDropping(directory ? entry.path : parentOf(entry.path), open);
  const classes = ['tree-row'];
  if (selection.value === entry.path) classes.push('chosen');
  if (over) classes.push('over');
  return (
    <div
      class={classes.join(' ')}
      role="treeitem"
      aria-level={depth + 1}
      aria-posinset={position}
      aria-setsize={siblings}
      aria-selected={selection.value === entry.path}
      aria-expanded={directory ? open : undefined}
      tabIndex={isActive ? 0 : -1}
      {...(isActive ? { 'data-first-focus': '' } : {})}
      style={{ top, '--depth': `${Math.max(0, depth - 1)}` }}
      draggable={!root && !editing}
      onDragStart={(event) => {
        if (event.dataTransfer === null) return;
        event.dataTransfer.setData(PATH_TYPE, entry.path);
        event.dataTransfer.effectAllowed = 'copyMove';
      }}
      onFocus={() => (active.value = entry.path)}
      onClick={() => {
        if (!editing) onChoose(entry);
      }}
      onDblClick={() => {
        if (directory && !editing) onToggle(entry);
      }}
      onContextMenu={(event) => {
        event.preventDefault();
        active.value = entry.path;
        event.currentTarget.focus();
        openEntryMenu(entry, { x: event.clientX, y: event.clientY });
      }}
      {...dropping}
    >
      <span
        class={open ? 'tree-toggle open' : 'tree-toggle'}
        onClick={(event) => {
          if (!directory || root) return;
          event.stopPropagation();
          active.value = entry.path;
          onToggle(entry);
        }}
      >
        {directory && !root && <ChevronRight size={14} aria-hidden="true" />}
      </span>
      {root ? (
        <HardDrive class="file-icon directory" size={16} aria-hidden="true" />
      ) : (
        <FileIcon entry={entry} open={open} />
      )}
      {editing ? (
        <NameField entry={entry} />
      ) : (
        <>
          <span class="tree-name" title={title}>
            {title}
          </span>
          {drafts.value.has(entry.path) && (
            <span class="tree-unsaved" title="Changed, not saved">
              ●
            </span>
          )}
          {entry.type === 'file' && <span class="tree-size">{bytes(entry.size)}</span>}
        </>
      )}
    </div>
  );
}

/** What a directory's row does with things held over it and dropped on it. */
function useDropping(directory: string, open: boolean) {
  const [over, setOver] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>();
  const takes = (event: DragEvent) =>
    changeable.value &&
    (event.dataTransfer?.types.some((type) => type === PATH_TYPE || type === 'Files') ?? false);
  const end = () => {
    setOver(false);
    clearTimeout(timer.current);
    timer.current = undefined;
  };
  return {
    over,
    onDragOver: (event: DragEvent) => {
      if (!takes(event) || event.dataTransfer === null) return;
      event.preventDefault();
      event.stopPropagation();
      event.dataTransfer.dropEffect = event.dataTransfer.types.includes(PATH_TYPE)
        ? 'move'
        : 'copy';
      setOver(true);
      if (!open && timer.current === undefined) {
        timer.current = setTimeout(() => setOpen(directory, true), HOLDING);
      }
    },
    onDragLeave: end,
    onDrop: (event: DragEvent) => {
      end();
      if (!takes(event) || event.dataTransfer === null) return;
      event.preventDefault();
      const path = event.dataTransfer.getData(PATH_TYPE);
      if (path !== '') {
        void moveInto(path, directory);
        return;
      }
      const incoming = incomingOfDrop(event.dataTransfer);
      if (incoming !== undefined) void bringIn(withFolder(incoming), directory);
    },
  };
}

/** The name being changed. Enter takes it, Escape leaves it. */
function NameField({ entry }: { entry: Entry }) {
  const field = useRef<HTMLInputElement>(null);
  const [wrong, setWrong] = useState<string | undefined>();
  const done = useRef(false);

  useEffect(() => {
    const input = field.current;
    if (input === null) return;
    input.focus();
    const dot = entry.type === 'directory' ? -1 : entry.name.lastIndexOf('.');
    input.setSelectionRange(0, dot > 0 ? dot : entry.name.length);
    // Once: a list that is read again must not select what has been typed by then.
  }, [entry.path]);
  // A row that is taken away takes its wish along; else the tree would wait for it for ever.
  useEffect(
    () => () => {
      if (renaming.peek() === entry.path) renaming.value = null;
    },
    [entry.path],
  );

  function end(): void {
    done.current = true;
    const row = field.current?.closest<HTMLElement>('[role="treeitem"]');
    renaming.value = null;
    row?.focus();
  }

  async function take(): Promise<void> {
    if (done.current) return;
    const name = field.current?.value ?? entry.name;
    const target = joined(parentOf(entry.path), name);
    const bad = nameProblem(name);
    if (bad !== undefined) {
      setWrong(bad);
      return;
    }
    done.current = true;
    const problem = await moveTo(entry.path, target);
    if (problem !== undefined) {
      done.current = false;
      setWrong(problem.message);
      return;
    }
    if (target === entry.path) {
      end();
      return;
    }
    // The row of the new name gets the keyboard when it comes.
    active.value = target;
    renaming.value = null;
  }

  return (
    <span class="tree-rename">
      <input
        ref={field}
        aria-label={`New name of ${shown(entry.name)}`}
        aria-invalid={wrong !== undefined}
        defaultValue={entry.name}
        spellcheck={false}
        onClick={(event) => event.stopPropagation()}
        onInput={() => setWrong(undefined)}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === 'Enter') void take();
          else if (event.key === 'Escape') end();
        }}
        onBlur={() => {
          if (!done.current && wrong === undefined) void take();
          else if (!done.current) end();
        }}
      />
      {wrong !== undefined && (
        <span class="tree-wrong" role="alert">
          {wrong}
        </span>
      )}
    </span>
  );
}
