/** The page round an open map: the plane in the middle, quiet panels at its edges. */
import { useEffect, useState } from 'preact/hooks';

import { Clock, Files, Info, Map as MapIcon, type LucideIcon } from 'lucide-preact';

import type { OpenMap } from '../engine/contract';
import { Boundary } from '../components/boundary';
import { Plane } from '../plane/Plane';
import { changeable, currentDirectory } from '../state/choose';
import { incomingOfDrop, withFolder } from '../state/feed';
import { bringIn } from '../state/importing';
import { look } from '../state/snapshots';
import { complain } from '../state/notices';
import { shown } from '../state/text';
import { selection, snapshot } from '../state/view';
import {
  detailsVisible,
  filesVisible,
  focusPanel,
  leftTab,
  overlay,
  room,
  timeVisible,
  type Panel,
  widened,
} from '../state/window';
import { DetailsPanel } from './details';
import { Header } from './header';
import { LeftPanel, useArrivals } from './left';
import { Timeline } from './timeline';
import '../style/shell.css';

export function Shell({ map }: { map: OpenMap }) {
  const over = useUploads();
  useArrivals();
  useEffect(() => {
    // What is chosen shows its details, where they would not be seen otherwise.
    const stop = selection.subscribe((path) => {
      if (path === null || path === '/' || room.peek() === 'wide') return;
      if (room.peek() === 'narrow' || overlay.peek() === null) overlay.value = 'details';
    });
    return stop;
  }, []);
  return (
    <div class={shellClass()}>
      <nav aria-label="Skip">
        <button type="button" class="skip" onClick={() => focusPanel('files')}>
          Skip to the files
        </button>
        <button
          type="button"
          class="skip"
          onClick={() => document.getElementById('plane')?.focus()}
        >
          Skip to the plane
        </button>
      </nav>
      <Boundary what="The header">
        <Header map={map} />
      </Boundary>
      {filesVisible.value && (
        <aside class="panel left" id="panel-files" aria-label="Files" tabIndex={-1}>
          <Boundary what="The list of files" about={leftTab}>
            <LeftPanel map={map} />
          </Boundary>
        </aside>
      )}
      <PastBanner />
      <main class="centre" id="main">
        <div class="plane-frame">
          <Boundary what="The plane">
            <Plane />
          </Boundary>
          {over !== null && (
            <div class="drop-hint">
              <p>{over}</p>
            </div>
          )}
        </div>
      </main>
      {timeVisible.value && (
        <section class="panel time" id="panel-time" aria-label="Time line" tabIndex={-1}>
          <Boundary what="The time line" about={snapshot}>
            <Timeline />
          </Boundary>
        </section>
      )}
      {detailsVisible.value && (
        <aside class="panel right" id="panel-details" aria-label="Details" tabIndex={-1}>
          <Boundary what="What is chosen" about={selection}>
            <DetailsPanel map={map} />
          </Boundary>
        </aside>
      )}
      {room.value === 'narrow' && <BottomBar />}
    </div>
  );
}

function shellClass(): string {
  const classes = ['shell', room.value];
  if (widened.value) classes.push('widened');
  if (room.value !== 'wide' && overlay.value !== null) classes.push(`over-${overlay.value}`);
  return classes.join(' ');
}

function PastBanner() {
  const name = snapshot.value;
  if (name === null) return null;
  return (
    <section class="past-banner" aria-label="The past">
      <Clock size={16} aria-hidden="true" />
      <p role="status">
        You look at <strong>{name}</strong>, read-only.
      </p>
      <button type="button" class="button" onClick={() => void look(null)}>
        Back to the present
      </button>
    </section>
  );
}

const PLACES: { panel: Panel | null; label: string; icon: LucideIcon }[] = [
  { panel: null, label: 'Plane', icon: MapIcon },
  { panel: 'files', label: 'Files', icon: Files },
  { panel: 'details', label: 'Details', icon: Info },
  { panel: 'time', label: 'Time', icon: Clock },
];

function BottomBar() {
  return (
    <nav class="bottom-bar" aria-label="Panels">
      {PLACES.map(({ panel, label, icon: Icon }) => (
        <button
          key={label}
          type="button"
          aria-current={overlay.value === panel ? 'true' : undefined}
          onClick={() => (overlay.value = panel)}
        >
          <Icon size={20} aria-hidden="true" />
          {label}
        </button>
      ))}
    </nav>
  );
}

/** Files dropped anywhere go into the current directory. @returns what a drop would do, while one hovers */
function useUploads(): string | null {
  const [hint, setHint] = useState<string | null>(null);
  useEffect(() => {
    let depth = 0;
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') === true;
    const words = () =>
      changeable.value
        ? `Drop to add to ${currentDirectory.value === '/' ? 'the root' : shown(currentDirectory.value)}`
        : snapshot.value !== null
          ? 'The past cannot be changed. Go back to the present to add files.'
          : 'This map is for reading. Use “Edit a copy” to add files.';
    const enter = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      depth += 1;
      setHint(words());
    };
    const leave = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      depth -= 1;
      if (depth <= 0) setHint(null);
    };
    const hover = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      if (event.dataTransfer !== null) {
        event.dataTransfer.dropEffect = changeable.value ? 'copy' : 'none';
      }
    };
    // Seen before the rows, which take a drop for themselves: the hint goes in any case.
    const end = () => {
      depth = 0;
      setHint(null);
    };
    const drop = (event: DragEvent) => {
      if (!hasFiles(event) || event.defaultPrevented || event.dataTransfer === null) return;
      event.preventDefault();
      if (!changeable.value) {
        complain(new Error(words()));
        return;
      }
      const incoming = incomingOfDrop(event.dataTransfer);
      if (incoming !== undefined) void bringIn(withFolder(incoming), currentDirectory.value);
    };
    addEventListener('dragenter', enter);
    addEventListener('dragleave', leave);
    addEventListener('dragover', hover);
    addEventListener('drop', end, true);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragenter', enter);
      removeEventListener('dragleave', leave);
      removeEventListener('dragover', hover);
      removeEventListener('drop', end, true);
      removeEventListener('drop', drop);
    };
  }, []);
  return hint;
}
