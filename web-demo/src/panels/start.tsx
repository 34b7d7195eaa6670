/** Where a visit begins: what this is, and the ways to get a map. */
import { useEffect, useRef, useState } from 'preact/hooks';

import { FilePlus, FolderOpen, Globe, Image, Sparkles } from 'lucide-preact';

import { Logo } from '../components/logo';
import { engine } from '../engine/client';
import { ask } from '../state/dialogs';
import { incomingOfDrop, type Incoming } from '../state/feed';
import { importing, openOrBuild } from '../state/importing';
import { engineState, openProblem, openSource, show } from '../state/map';
import { tasks } from '../state/notices';
import { useChoosers } from './choosers';
import { StoredMaps } from './stored-maps';
import { ThemeSwitch } from './theme-switch';
import '../style/start.css';

export const EXAMPLE = 'example.rts.png';

export function StartPage() {
  const [over, setOver] = useState(false);
  const depth = useRef(0);
  const chooseMap = useRef<HTMLInputElement>(null);
  const take = (incoming: Incoming) => openOrBuild(incoming);
  const choosers = useChoosers('start', take);
  const state = engineState.value;
  const failed = typeof state === 'object';
  const busy = tasks.value.length > 0 || importing.value !== null;
  const off = failed || busy;

  useEffect(() => {
    // The whole page takes a drop here; nobody has to aim.
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') === true;
    const enter = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      depth.current += 1;
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      depth.current -= 1;
      if (depth.current <= 0) setOver(false);
    };
    const hover = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      if (event.dataTransfer !== null) event.dataTransfer.dropEffect = off ? 'none' : 'copy';
    };
    const drop = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      depth.current = 0;
      setOver(false);
      if (off || event.dataTransfer === null) return;
      const incoming = incomingOfDrop(event.dataTransfer);
      if (incoming !== undefined) void take(incoming);
    };
    addEventListener('dragenter', enter);
    addEventListener('dragleave', leave);
    addEventListener('dragover', hover);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragenter', enter);
      removeEventListener('dragleave', leave);
      removeEventListener('dragover', hover);
      removeEventListener('drop', drop);
    };
  }, [off]);

  return (
    <div class="start">
      <header class="start-header">
        <span class="brand">
          <Logo />
          AetherFlow
        </span>
        <ThemeSwitch />
      </header>
      <main class="start-main" id="main">
        <div class="start-words">
          <h1>A filesystem that lives in a picture</h1>
          <p class="lead">
            Drop a folder and see it as a place: every file a patch on an infinite plane, what
            matters near the centre. Fly over it, read it, change it, and take it away as the PNG it
            is. Nothing leaves your browser.
          </p>
          <EngineLine />
          <OpenProblem />
          <div class="start-actions">
            <button
              type="button"
              class="button accent large"
              disabled={off}
              onClick={choosers.folder}
            >
              <FolderOpen size={18} aria-hidden="true" />
              Choose a folder
            </button>
            <button
              type="button"
              class="button large"
              disabled={off}
              onClick={() =>
                void openSource({ kind: 'url', url: new URL(EXAMPLE, document.baseURI).href })
              }
            >
              <Sparkles size={18} aria-hidden="true" />
              Look at an example
            </button>
          </div>
          <div class="start-actions small">
            <button
              type="button"
              class="button quiet"
              disabled={off}
              onClick={() => chooseMap.current?.click()}
            >
              <Image size={16} aria-hidden="true" />
              Open a map file
            </button>
            <button
              type="button"
              class="button quiet"
              disabled={off}
              onClick={() => void openUrl()}
            >
              <Globe size={16} aria-hidden="true" />
              Open from a URL
            </button>
            <button type="button" class="button quiet" disabled={off} onClick={() => void newMap()}>
              <FilePlus size={16} aria-hidden="true" />
              New empty map
            </button>
          </div>
          <input
            ref={chooseMap}
            id="start-map"
            class="hidden-visually"
            type="file"
            accept=".png,image/png"
            tabIndex={-1}
            aria-hidden="true"
            onChange={(event) => {
              const [file] = event.currentTarget.files ?? [];
              if (file !== undefined) void openSource({ kind: 'file', file });
              event.currentTarget.value = '';
            }}
          />
          {choosers.inputs}
          <StoredMaps off={off} />
        </div>
        <div class={over && !off ? 'start-drop over' : 'start-drop'}>
          <img src="./hero.svg" alt="" width="640" height="640" draggable={false} />
          <p>
            {over && !off
              ? 'Let go, and it becomes a place'
              : 'Drop a folder, files, or a map here'}
          </p>
        </div>
      </main>
    </div>
  );
}

function EngineLine() {
  const state = engineState.value;
  if (state === 'ready') return null;
  if (state === 'loading') {
    return (
      <p class="engine-line" role="status">
        The engine is loading…
      </p>
    );
  }
  return (
    <div class="box warn" role="alert">
      <strong>The engine could not be started.</strong>
      <p>{state.message}</p>
      <p>
        {state.advice ??
          'Load the page again when you are online. It needs WebAssembly with SIMD and module workers, which a current Firefox, Chrome, Edge or Safari has.'}
      </p>
    </div>
  );
}

function OpenProblem() {
  const problem = openProblem.value;
  if (problem === null) return null;
  return (
    <div class="box warn" role="alert">
      <strong>{problem.message}</strong>
      {problem.advice !== undefined && <p>{problem.advice}</p>}
    </div>
  );
}

async function openUrl(): Promise<void> {
  const answer = await ask({
    title: 'Open a map from a URL',
    text: 'Only the parts you look at are fetched. The server has to allow this page to read it (CORS) and to answer range requests.',
    label: 'Address of the map',
    value: '',
    action: 'Open',
    type: 'url',
    check: urlProblem,
  });
  if (answer !== null) await openSource({ kind: 'url', url: new URL(answer.value.trim()).href });
}

function urlProblem(text: string): string | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return 'An address is needed.';
  if (!URL.canParse(trimmed)) return 'This is no address. It begins with https://';
  const { protocol } = new URL(trimmed);
  if (protocol !== 'https:' && protocol !== 'http:') {
    return 'Only http and https addresses can be opened.';
  }
  if (protocol === 'http:' && location.protocol === 'https:') {
    return 'A page from https may not read from http. Use an https address.';
  }
  return undefined;
}

async function newMap(): Promise<void> {
  const answer = await ask({
    title: 'New empty map',
    label: 'Name',
    value: 'my map',
    action: 'Make it',
    check: (name) => (name.trim() === '' ? 'A name is needed.' : undefined),
  });
  if (answer === null) return;
  const name = answer.value.trim();
  await show(`Making ${name}`, () => engine.create(name));
}
