/** The right panel: what is chosen, or the map as a whole. */
import { Copy, Download, EllipsisVertical, Locate } from 'lucide-preact';

import { FileIcon } from '../components/file-icon';
import { late } from '../components/late';
import type { Details, OpenMap, Problem } from '../engine/contract';
import { copyText, download } from '../state/files';
import { details, detailsProblem } from '../state/details';
import { choose, flyTo } from '../state/choose';
import { count, moment, bytes, nameOf, number, sentence, shown, TYPE_NAMES } from '../state/text';
import { report } from '../state/verify';
import { selection, snapshot } from '../state/view';
import { look } from '../state/snapshots';
import { openEntryMenu } from './entry-menu';
import { Extents } from './extents';
import { MapOverview } from './map-overview';
import { ProblemBox } from './problem-box';
import { isInTree, ZoneControl } from './zone-control';
import '../style/details.css';

const Preview = late(() => import('./preview/preview').then((part) => part.Preview));

export function DetailsPanel({ map }: { map: OpenMap }) {
  const path = selection.value;
  const found = details.value;
  const problem = detailsProblem.value;
  if (path === null || path === '/') return <MapOverview map={map} />;
  if (problem !== null) return <Missing path={path} problem={problem} />;
  if (found === null) {
    return <p class="details-wait soft">Reading…</p>;
  }
  return <EntryDetails key={found.ino} found={found} />;
}

function Missing({ path, problem }: { path: string; problem: Problem }) {
  const past = snapshot.value;
  return (
    <div class="details">
      <header class="details-head">
        <h2>{shown(nameOf(path))}</h2>
      </header>
      {problem.code === 'ENOENT' ? (
        <div class="box">
          <p>
            {past === null
              ? 'This is not in the map now. A snapshot may still have it.'
              : `This is not in the snapshot ${past}.`}
          </p>
          {past !== null && (
            <button type="button" class="button" onClick={() => void look(null)}>
              Back to the present
            </button>
          )}
        </div>
      ) : (
        <ProblemBox problem={problem} />
      )}
    </div>
  );
}

function EntryDetails({ found }: { found: Details }) {
  const { path, type } = found;
  return (
    <div class="details">
      <header class="details-head">
        <FileIcon entry={found} size={20} />
        <h2 title={shown(found.name)}>{shown(found.name)}</h2>
        <button
          type="button"
          class="icon-button"
          aria-label="Fly there"
          title="Fly there"
          data-first-focus
          onClick={() => void flyTo(path)}
        >
          <Locate size={16} aria-hidden="true" />
        </button>
        {(type === 'file' || type === 'directory') && (
          <button
            type="button"
            class="icon-button"
            aria-label={type === 'directory' ? 'Download as .zip' : 'Download'}
            title={type === 'directory' ? 'Download as .zip' : 'Download'}
            onClick={() => void download(path)}
          >
            <Download size={16} aria-hidden="true" />
          </button>
        )}
        <button
          type="button"
          class="icon-button"
          aria-label="More actions"
          title="More actions"
          aria-haspopup="menu"
          onClick={(event) => {
            const { left, bottom } = event.currentTarget.getBoundingClientRect();
            openEntryMenu(found, { x: left, y: bottom + 4 });
          }}
        >
          <EllipsisVertical size={16} aria-hidden="true" />
        </button>
      </header>
      <div class="details-path">
        <code>{shown(path)}</code>
        <button
          type="button"
          class="icon-button"
          aria-label="Copy the path"
          title="Copy the path"
          onClick={() => void copyText(path)}
        >
          <Copy size={14} aria-hidden="true" />
        </button>
      </div>
      <Damage path={path} />
      <Facts found={found} />
      {(type === 'file' || type === 'directory') && <ZoneControl found={found} />}
      {type === 'file' && <Preview found={found} />}
      {found.extentCount > 0 && <Extents found={found} />}
    </div>
  );
}

function Facts({ found }: { found: Details }) {
  const { type, size, stored, target, entries, links } = found;
  const kept = keptWords(found);
  return (
    <dl class="facts">
      <dt>Type</dt>
      <dd>{TYPE_NAMES[type]}</dd>
      {target !== undefined && (
        <>
          <dt>Points to</dt>
          <dd>
            {target.startsWith('/') ? (
              <button type="button" class="link" onClick={() => void choose(target)}>
                <code>{shown(target)}</code>
              </button>
            ) : (
              <code>{shown(target)}</code>
            )}
          </dd>
        </>
      )}
      {entries !== undefined && (
        <>
          <dt>Holds</dt>
          <dd>{count(entries, 'entry', 'entries')}</dd>
        </>
      )}
      {type === 'file' && (
        <>
          <dt>Size</dt>
          <dd>
            {bytes(size)}
            {size >= 1024 && `, ${number(size)} bytes`}
          </dd>
        </>
      )}
      {(type === 'file' || stored > 0) && (
        <>
          <dt>On the plane</dt>
          <dd title={`${number(stored)} bytes`}>{kept}</dd>
        </>
      )}
      <dt>Modified</dt>
      <dd>{moment(found.modified)}</dd>
      <dt>Created</dt>
      <dd>{moment(found.created)}</dd>
      <dt>Mode</dt>
      <dd>
        <code>{modeText(found)}</code> · {found.uid}:{found.gid}
        {links > 1 && type !== 'directory' && ` · ${links} names`}
      </dd>
    </dl>
  );
}

function keptWords(found: Details): string {
  const { type, size, stored } = found;
  if (size === 0 && type === 'file') return 'nothing';
  if (isInTree(found)) return `${bytes(stored)}, in the tree`;
  if (type !== 'file' || size === 0) return bytes(stored);
  const share = stored / size;
  return share < 0.99
    ? `${bytes(stored)}, ${(size / stored).toFixed(1)} times smaller`
    : bytes(stored);
}

const LETTERS: Record<Details['type'], string> = {
  directory: 'd',
  symlink: 'l',
  file: '-',
  other: '?',
};

function modeText({ type, mode }: Details): string {
  const bits = Array.from('rwxrwxrwx', (letter, index) =>
    (mode >> (8 - index)) & 1 ? letter : '-',
  );
  return LETTERS[type] + bits.join('');
}

function Damage({ path }: { path: string }) {
  const hits = report.value?.problems.filter((problem) => problem.path === path) ?? [];
  const [first] = hits;
  if (first === undefined) {
    return null;
  }
  return (
    <div class="box warn" role="note">
      <strong>{hits.length === 1 ? 'Damaged' : `Damaged in ${hits.length} places`}</strong>
      <p>{sentence(first.message)}</p>
      {first.offset !== undefined && (
        <p class="soft">
          First at byte {number(first.offset)}
          {first.cluster !== undefined && `, cluster ${number(first.cluster)}`}.
        </p>
      )}
      {first.advice !== '' && <p>{sentence(first.advice)}</p>}
    </div>
  );
}
