/** The maps this browser keeps, and how much room there is. */
import { useEffect, useState } from 'preact/hooks';

import { Download, Trash2 } from 'lucide-preact';

import { engine } from '../engine/client';
import type { Keeping, StoredMap } from '../engine/contract';
import { confirm, dialog } from '../state/dialogs';
import { downloadMap } from '../state/files';
import { mayClose } from '../state/leaving';
import { closeMap, engineState, openMap, openSource } from '../state/map';
import { complain, tell } from '../state/notices';
import { ago, bytes, moment, shown } from '../state/text';

interface StoredMapsProps {
  /** Nothing can be done now. */
  off: boolean;
  /** Beside an open map, which stays open: the others can be looked over and deleted. */
  aside?: boolean;
}

export function StoredMaps({ off, aside = false }: StoredMapsProps) {
  const [maps, setMaps] = useState<readonly StoredMap[] | null>(null);
  const [keeping, setKeeping] = useState<Keeping | null>(null);
  const ready = engineState.value === 'ready';

  function load(): void {
    engine
      .storedMaps()
      .then((found) => setMaps(found.toSorted((a, b) => b.modified - a.modified)), complain);
    engine.keeping().then(setKeeping, complain);
  }
  useEffect(() => {
    if (ready) load();
  }, [ready]);

  async function remove(map: StoredMap): Promise<void> {
    const yes = await confirm({
      title: `Delete ${shown(map.name)}?`,
      text: `${bytes(map.bytes)} in this browser. It cannot be brought back; download it first if you may want it again.`,
      action: 'Delete',
      danger: true,
    });
    if (!yes) return;
    try {
      await engine.deleteStored(map.name);
      tell(`${shown(map.name)} is deleted.`);
    } catch (error) {
      complain(error);
    }
    load();
  }

  async function open(map: StoredMap): Promise<void> {
    if (aside) dialog.value = null;
    if (await mayClose()) await openSource({ kind: 'stored', name: map.name });
  }

  async function download(map: StoredMap): Promise<void> {
    // A map is written out by the engine, which has to have it open for that.
    if (!(await openSource({ kind: 'stored', name: map.name }))) return;
    await downloadMap('live');
    await closeMap();
  }

  if (!ready || keeping === null) return null;
  if (!keeping.available) {
    return (
      <p class="quota">
        This browser keeps nothing for this page (a private window?). Maps live until you close the
        page: download what you want to have again.
      </p>
    );
  }
  return (
    <section class={aside ? 'stored aside' : 'stored'} aria-label="Kept in this browser">
      {!aside && <h2>Kept in this browser</h2>}
      {maps !== null && maps.length === 0 && (
        <p class="soft">No maps yet. What you make stays here until you delete it.</p>
      )}
      <ul>
        {maps?.map((map) => {
          const current = isOpen(map);
          return (
            <li key={map.name}>
              <button
                type="button"
                class="stored-open"
                disabled={off || current}
                onClick={() => void open(map)}
              >
                <strong>{shown(map.name)}</strong>
                <span title={moment(map.modified)}>
                  {bytes(map.bytes)} · {current ? 'open now' : ago(map.modified)}
                </span>
              </button>
              {!aside && (
                <button
                  type="button"
                  class="icon-button"
                  disabled={off}
                  aria-label={`Download ${shown(map.name)}`}
                  title="Download"
                  onClick={() => void download(map)}
                >
                  <Download size={16} aria-hidden="true" />
                </button>
              )}
              <button
                type="button"
                class="icon-button"
                disabled={off || current}
                aria-label={`Delete ${shown(map.name)}`}
                title={current ? 'Close it first to delete it' : 'Delete'}
                onClick={() => void remove(map)}
              >
                <Trash2 size={16} aria-hidden="true" />
              </button>
            </li>
          );
        })}
      </ul>
      <p class="quota">
        {bytes(keeping.usage)} of {bytes(keeping.quota)} used
        {keeping.persisted
          ? '; the browser keeps it until you delete it.'
          : '; the browser may clear it when room is short.'}
      </p>
    </section>
  );
}

function isOpen({ name }: StoredMap): boolean {
  const from = openMap.value?.from;
  return from?.kind === 'stored' && from.address === name;
}
