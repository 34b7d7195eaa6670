/** The maps this browser keeps, and how much room there is. */
import { useEffect, useState } from 'preact/hooks';

import { Download, Trash2 } from 'lucide-preact';

import { engine } from '../engine/client';
import type { Keeping, StoredMap } from '../engine/contract';
import { confirm } from '../state/dialogs';
import { downloadMap } from '../state/files';
import { closeMap, engineState, openSource } from '../state/map';
import { complain, tell } from '../state/notices';
import { ago, bytes, moment, shown } from '../state/text';

export function StoredMaps({ off }: { off: boolean }) {
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
    <section class="stored" aria-labelledby="stored-title">
      <h2 id="stored-title">Kept in this browser</h2>
      {maps !== null && maps.length === 0 && (
        <p class="soft">No maps yet. What you make stays here until you delete it.</p>
      )}
      <ul>
        {maps?.map((map) => (
          <li key={map.name}>
            <button
              type="button"
              class="stored-open"
              disabled={off}
              onClick={() => void openSource({ kind: 'stored', name: map.name })}
            >
              <strong>{shown(map.name)}</strong>
              <span title={moment(map.modified)}>
                {bytes(map.bytes)} · {ago(map.modified)}
              </span>
            </button>
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
            <button
              type="button"
              class="icon-button"
              disabled={off}
              aria-label={`Delete ${shown(map.name)}`}
              title="Delete"
              onClick={() => void remove(map)}
            >
              <Trash2 size={16} aria-hidden="true" />
            </button>
          </li>
        ))}
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
