/** What lies under the pointer, beside it; under a finger it keeps to the lower edge. */
import { useLayoutEffect, useRef } from 'preact/hooks';

import type { Hit } from '../engine/contract';
import { bytes, count, number } from '../state/text';
import { tool } from '../state/view';
import { current } from './current';
import { clamp } from './geometry';
import { choice, hovered, pointing } from './pointing';
import { target } from './placing';
import { checksumWords, distanceWords, hitTitle, kindWords, splitPath } from './words';

const GAP = 18;
const NAMED = 3;

export function HoverCard() {
  const hit = hovered.value;
  const point = pointing.value;
  const card = useRef<HTMLDivElement>(null);
  const hidden =
    hit === null ||
    point === null ||
    target.value !== null ||
    choice.value !== null ||
    (tool.value === 'scratch' && point.by !== 'keyboard');

  useLayoutEffect(() => {
    const element = card.current;
    const chart = current.peek();
    if (element === null || chart === null || point === null || point.by === 'touch') return;
    const size = chart.map.getSize();
    const insets = chart.insets();
    const { offsetWidth: width, offsetHeight: height } = element;
    const { x, y } = point.screen;
    const right = size.x - insets.right - 8;
    const bottom = size.y - insets.bottom - 8;
    const left = x + GAP + width <= right ? x + GAP : x - GAP - width;
    const top = y + GAP + height <= bottom ? y + GAP : y - GAP - height;
    element.style.transform = `translate(${Math.round(clamp(left, insets.left + 8, right - width))}px, ${Math.round(
      clamp(top, insets.top + 8, bottom - height),
    )}px)`;
  });

  if (hidden) return null;
  return (
    <div
      ref={card}
      class={`plane-card plane-hover ${point.by === 'touch' ? 'docked' : ''}`}
      aria-hidden="true"
    >
      <Title hit={hit} />
      <Facts hit={hit} />
    </div>
  );
}

function Title({ hit }: { hit: Hit }) {
  const files = hit.files ?? [];
  const many = hit.fileCount ?? files.length;
  const [file] = files;
  if (many === 1 && file !== undefined && file.path !== '') {
    const [folder, name] = splitPath(file.path);
    return (
      <p class="plane-path">
        <span class="plane-folder">{folder}</span>
        <strong>{name}</strong>
      </p>
    );
  }
  return (
    <>
      <p class="plane-path">
        <strong>{hitTitle(hit)}</strong>
      </p>
      {many > 1 && (
        <ul class="plane-names">
          {files.slice(0, NAMED).map(({ path }) => (
            <li key={path}>{splitPath(path)[1]}</li>
          ))}
          {many > NAMED && <li class="plane-soft">and {number(many - NAMED)} more</li>}
        </ul>
      )}
    </>
  );
}

function Facts({ hit }: { hit: Hit }) {
  if (hit.outside) {
    return <p class="plane-soft">Nothing is here yet; a growing map comes this way.</p>;
  }
  const file = hit.fileCount === undefined || hit.fileCount <= 1 ? hit.files?.[0] : undefined;
  const checksum = checksumWords(hit);
  // Of files packed together the title says so already.
  const data =
    hit.kind === 'raw' ||
    hit.kind === 'compressed' ||
    (hit.kind === 'packed' && (hit.fileCount ?? 0) <= 1);
  return (
    <>
      <p class="plane-facts">
        {file !== undefined && (
          <span>
            at {bytes(file.offset)}, {bytes(file.length)} long
          </span>
        )}
        {data && <span>{kindWords(hit)}</span>}
        {hit.past === true && <span>held by snapshots only</span>}
      </p>
      <p class="plane-facts plane-soft">
        <span class="plane-zone" data-zone={hit.zone}>
          {hit.zone}
        </span>
        <span>{distanceWords(hit)}</span>
        {hit.cluster !== undefined && <span>cluster {number(hit.cluster)}</span>}
      </p>
      <p class="plane-facts plane-soft">
        {checksum !== undefined && (
          <span class={hit.checksum === 'damaged' ? 'plane-bad' : ''}>{checksum}</span>
        )}
        {(hit.heat ?? 0) > 0 && <span>heat {hit.heat}</span>}
        {(hit.references ?? 0) > 1 && <span>{count(hit.references ?? 0, 'reference')}</span>}
        {hit.bytes !== undefined && hit.kind !== 'free' && <code>{hex(hit.bytes)}</code>}
      </p>
    </>
  );
}

function hex(values: readonly number[]): string {
  return values.map((value) => value.toString(16).toUpperCase().padStart(2, '0')).join(' ');
}
