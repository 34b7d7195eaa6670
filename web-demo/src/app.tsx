/** The whole page: the start, or the shell round the open map. */
import { useEffect, useState } from 'preact/hooks';

import { Boundary } from './components/boundary';
import { Menus } from './components/menu';
import { engine } from './engine/client';
import { Dialogs } from './panels/dialogs';
import { Notices } from './panels/notices';
import { StartPage } from './panels/start';
import { dialog } from './state/dialogs';
import { listenToKeys } from './state/keys';
import type { OpenMap } from './engine/contract';
import { openMap } from './state/map';
import { complain } from './state/notices';
import { shown } from './state/text';
import { theme } from './state/view';

export function App() {
  const map = openMap.value;
  useEffect(() => {
    document.documentElement.dataset['theme'] = theme.value;
  }, [theme.value]);
  useEffect(() => {
    document.title =
      map === null ? 'AetherFlow Explorer' : `${shown(map.title)} – AetherFlow Explorer`;
  }, [map]);
  useEffect(() => listenToKeys(), []);
  useEffect(() => {
    // The last chance to have everything on the disk; a phone may never come back to the page.
    const save = () => {
      if (document.visibilityState === 'hidden' && openMap.peek()?.writable === true) {
        engine.sync().catch(() => undefined);
      }
    };
    document.addEventListener('visibilitychange', save);
    addEventListener('pagehide', save);
    return () => {
      document.removeEventListener('visibilitychange', save);
      removeEventListener('pagehide', save);
    };
  }, []);
  return (
    <>
      <Boundary what="The page" about={openMap}>
        {map === null ? <StartPage /> : <LateShell map={map} />}
      </Boundary>
      <Notices />
      <Boundary what="The dialog" about={dialog}>
        <Dialogs />
      </Boundary>
      <Menus />
    </>
  );
}

type ShellModule = typeof import('./panels/shell');
let loading: Promise<ShellModule> | undefined;

/** The plane and its panels come after the start page: who arrives sees that first. */
function loadShell(): Promise<ShellModule> {
  loading ??= import('./panels/shell').catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}
addEventListener('load', () => setTimeout(() => void loadShell().catch(() => undefined), 200));

function LateShell({ map }: { map: OpenMap }) {
  const [module, setModule] = useState<ShellModule | null>(null);
  useEffect(() => {
    loadShell().then(setModule, complain);
  }, []);
  return module === null ? (
    <main class="shell-wait" id="main" aria-busy="true" />
  ) : (
    <module.Shell map={map} />
  );
}
