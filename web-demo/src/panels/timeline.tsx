/** The time line: snapshots in order, the present at the right; the marker is moved along it. */
import { useEffect, useRef } from 'preact/hooks';

import { ArrowLeftRight, Camera, EllipsisVertical, History, Trash2, Undo2 } from 'lucide-preact';

import { openMenuBelow, type MenuItem } from '../components/menu';
import type { Snapshot } from '../engine/contract';
import { dialog } from '../state/dialogs';
import { openMap } from '../state/map';
import { changeable } from '../state/choose';
import {
  look,
  pointed,
  removeSnapshot,
  rollBack,
  snapshotList,
  takeSnapshot,
} from '../state/snapshots';
import { ago, bytes, count, moment } from '../state/text';
import { snapshot } from '../state/view';
import '../style/timeline.css';

export function Timeline() {
  const list = snapshotList.value;
  const name = snapshot.value;
  const current = list.find((candidate) => candidate.name === name);
  return (
    <div class="timeline">
      <div class="timeline-head">
        <History size={16} aria-hidden="true" />
        <h2>Time</h2>
        <p class="soft timeline-words">
          {current === undefined ? (
            list.length === 0 ? (
              'No snapshots yet.'
            ) : (
              <>The present, after {count(list.length, 'snapshot')}</>
            )
          ) : (
            <Words snapshot={current} />
          )}
        </p>
        <div class="timeline-actions">
          {current !== undefined && <SnapshotActions current={current} />}
          {list.length > 0 && (
            <button
              type="button"
              class="button quiet"
              onClick={() =>
                (dialog.value = {
                  kind: 'compare',
                  before: name ?? list.at(-1)?.name ?? null,
                  after: null,
                })
              }
            >
              <ArrowLeftRight size={15} aria-hidden="true" />
              Compare
            </button>
          )}
          {changeable.value && (
            <button type="button" class="button quiet" onClick={() => void takeSnapshot()}>
              <Camera size={15} aria-hidden="true" />
              Keep this moment
            </button>
          )}
        </div>
      </div>
      {list.length > 0 && <Track list={list} />}
    </div>
  );
}

function Words({ snapshot: { note, created, files, bytes: size } }: { snapshot: Snapshot }) {
  return (
    <span title={moment(created)}>
      {note === '' ? '' : `${note} · `}
      {ago(created)} · {count(files, 'file')}, {bytes(size)}
    </span>
  );
}

function SnapshotActions({ current }: { current: Snapshot }) {
  const { name } = current;
  if (openMap.value?.writable !== true) return null;
  const items: (MenuItem | 'line')[] = [
    {
      label: 'Roll back to here',
      icon: Undo2,
      hint: 'The state of now is kept as an automatic snapshot',
      action: () => rollBack(name),
    },
    'line',
    { label: 'Delete', icon: Trash2, danger: true, action: () => removeSnapshot(name) },
  ];
  return (
    <>
      <button type="button" class="button" onClick={() => void rollBack(name)}>
        <Undo2 size={15} aria-hidden="true" />
        Roll back
      </button>
      <button
        type="button"
        class="icon-button"
        aria-label={`Actions for the snapshot ${name}`}
        aria-haspopup="menu"
        onClick={(event) => openMenuBelow(`Snapshot ${name}`, items, event.currentTarget)}
      >
        <EllipsisVertical size={16} aria-hidden="true" />
      </button>
    </>
  );
}

function Track({ list }: { list: readonly Snapshot[] }) {
  const track = useRef<HTMLDivElement>(null);
  const scrubbing = useRef(false);
  const present = list.length;
  const found = list.findIndex(({ name }) => name === pointed.value);
  const at = found < 0 ? present : found;
  const here = list[at];

  useEffect(() => {
    track.current?.children[at]?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [at, present]);

  function go(index: number): void {
    const next = Math.max(0, Math.min(present, index));
    if (next !== at) void look(list[next]?.name ?? null);
  }

  function onKeyDown(event: KeyboardEvent): void {
    const steps: Record<string, number> = {
      ArrowLeft: at - 1,
      ArrowDown: at - 1,
      ArrowRight: at + 1,
      ArrowUp: at + 1,
      PageDown: at - 5,
      PageUp: at + 5,
      Home: 0,
      End: present,
    };
    const next = steps[event.key];
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    go(next);
  }

  /** The point nearest to the pointer. */
  function pointTo(clientX: number): void {
    const points = [...(track.current?.children ?? [])];
    let nearest = at;
    let least = Infinity;
    points.forEach((point, index) => {
      const { left, width } = point.getBoundingClientRect();
      const far = Math.abs(clientX - left - width / 2);
      if (far < least) [least, nearest] = [far, index];
    });
    go(nearest);
  }

  return (
    <div
      class="track"
      role="slider"
      tabIndex={0}
      data-first-focus
      aria-label="Moment"
      aria-orientation="horizontal"
      aria-valuemin={0}
      aria-valuemax={present}
      aria-valuenow={at}
      aria-valuetext={here === undefined ? 'The present' : `${here.name}, ${ago(here.created)}`}
      onKeyDown={onKeyDown}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        scrubbing.current = true;
        event.currentTarget.setPointerCapture(event.pointerId);
        pointTo(event.clientX);
      }}
      onPointerMove={(event) => {
        if (scrubbing.current) pointTo(event.clientX);
      }}
      onPointerUp={() => (scrubbing.current = false)}
      onPointerCancel={() => (scrubbing.current = false)}
    >
      <div class="track-points" ref={track}>
        {list.map((item, index) => (
          <Point
            key={item.name}
            label={item.name}
            title={`${item.name}${item.note === '' ? '' : `: ${item.note}`}, ${moment(item.created)}`}
            chosen={index === at}
            automatic={item.automatic}
          />
        ))}
        <Point label="now" title="The present" chosen={at === present} automatic={false} present />
      </div>
    </div>
  );
}

interface PointProps {
  label: string;
  title: string;
  chosen: boolean;
  automatic: boolean;
  present?: boolean;
}

function Point({ label, title, chosen, automatic, present = false }: PointProps) {
  const classes = ['point'];
  if (chosen) classes.push('chosen');
  if (automatic) classes.push('automatic');
  if (present) classes.push('present');
  return (
    <span class={classes.join(' ')} title={title}>
      <span class="point-mark" />
      <span class="point-label">{label}</span>
    </span>
  );
}
