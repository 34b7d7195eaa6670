/** The pieces a file is stored in. */
import { useState } from 'preact/hooks';

import { ChevronRight } from 'lucide-preact';

import type { Details, Extent } from '../engine/contract';
import { bytes, number } from '../state/text';

const KINDS: Record<Extent['kind'], string> = {
  raw: 'as it is',
  zstd: 'compressed',
  fill: 'one byte, repeated',
  pattern: 'a pattern, repeated',
  inline: 'in the tree',
  hole: 'hole',
};

export function Extents({ found }: { found: Details }) {
  const [open, setOpen] = useState(false);
  const { extents, extentCount } = found;
  return (
    <section class="extents">
      <h3>
        <button
          type="button"
          class="disclosure"
          aria-expanded={open}
          aria-controls="extent-table"
          onClick={() => setOpen(!open)}
        >
          <ChevronRight size={14} aria-hidden="true" />
          Pieces <span class="count">{number(extentCount)}</span>
        </button>
      </h3>
      {open && (
        <div id="extent-table" class="extent-table" tabIndex={0} role="group" aria-label="Pieces">
          <table>
            <thead>
              <tr>
                <th scope="col">Offset</th>
                <th scope="col">Length</th>
                <th scope="col">Stored</th>
                <th scope="col">Cluster</th>
              </tr>
            </thead>
            <tbody>
              {extents.map((extent) => (
                <tr key={extent.offset} title={placeWords(extent)}>
                  <td>{number(extent.offset)}</td>
                  <td>{bytes(extent.length)}</td>
                  <td>
                    {KINDS[extent.kind]}
                    {extent.storedBytes !== undefined &&
                      extent.kind === 'zstd' &&
                      `, ${bytes(extent.storedBytes)}`}
                  </td>
                  <td>
                    {extent.cluster === undefined ? '–' : number(extent.cluster)}
                    {(extent.clusters ?? 0) > 1 && ` +${number((extent.clusters ?? 1) - 1)}`}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {extentCount > extents.length && (
            <p class="soft">
              The first {number(extents.length)} of {number(extentCount)}.
            </p>
          )}
        </div>
      )}
    </section>
  );
}

function placeWords({ zone, distance }: Extent): string {
  if (zone === undefined || distance === undefined) return '';
  return `${zone}, ${number(distance)} pixels from the centre`;
}
