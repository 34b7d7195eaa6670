/** The map as a whole, while nothing in it is chosen. */
import { useEffect, useState } from 'preact/hooks';

import { engine } from '../engine/client';
import type { MapInfo, OpenMap } from '../engine/contract';
import { fetched, filesRevision, snapshotsRevision } from '../state/map';
import { bytes, count, moment, number, shown } from '../state/text';

export function MapOverview({ map }: { map: OpenMap }) {
  const info = useInfo(map);
  const remote = fetched.value;
  const used = info.clusters > 0 ? info.clustersUsed / info.clusters : 0;
  return (
    <div class="details">
      <header class="details-head">
        <h2>{shown(map.title)}</h2>
      </header>
      {info.label !== '' && <p class="soft">{info.label}</p>}
      <div
        class="used"
        role="img"
        aria-label={`${Math.round(used * 100)} % of the clusters are used`}
      >
        <span style={{ width: `${Math.max(0.5, used * 100)}%` }} />
      </div>
      <dl class="facts">
        <dt>Holds</dt>
        <dd>
          {count(info.files, 'file')} in {count(info.directories, 'folder')}
        </dd>
        <dt>Contents</dt>
        <dd title={`${number(info.bytes)} bytes`}>{bytes(info.bytes)}</dd>
        <dt>On the plane</dt>
        <dd>
          {bytes(info.clustersUsed * 4096)} of {bytes(info.clusters * 4096)}
        </dd>
        <dt>Picture</dt>
        <dd>
          {number(info.width)} × {number(info.height)} px, {count(info.sheets, 'sheet')}
        </dd>
        <dt>File</dt>
        <dd>{bytes(info.fileBytes)}</dd>
        {remote !== null && (
          <>
            <dt>Fetched</dt>
            <dd>
              {bytes(remote.bytes)} of {bytes(remote.total)}, {count(remote.requests, 'request')}
            </dd>
          </>
        )}
        <dt>Compression</dt>
        <dd>
          {info.compression}, level {info.level}
        </dd>
        <dt>Parity</dt>
        <dd>
          {info.parity ? (info.parityStale ? 'kept, behind the last changes' : 'kept') : 'off'}
        </dd>
        <dt>Snapshots</dt>
        <dd>{number(info.snapshots)}</dd>
        <dt>Created</dt>
        <dd>{moment(info.created)}</dd>
        <dt>Format</dt>
        <dd>{info.format}</dd>
      </dl>
      <p class="soft">Choose a file in the tree, by search, or on the plane to see it here.</p>
    </div>
  );
}

function useInfo(map: OpenMap): MapInfo {
  const [info, setInfo] = useState(map.info);
  const revision = filesRevision.value + snapshotsRevision.value;
  useEffect(() => {
    let current = true;
    engine.info().then(
      (found) => {
        if (current) setInfo(found);
      },
      // What was known when it was opened stays; whoever changed the map hears of the failure.
      () => undefined,
    );
    return () => {
      current = false;
    };
  }, [map, revision]);
  return info;
}
