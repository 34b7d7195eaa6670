/** A file as bytes. Only the rows in sight are drawn, and only their bytes are read. */
import { useEffect, useRef, useState } from 'preact/hooks';

import type { Details, Problem } from '../../engine/contract';
import { number } from '../../state/text';
import { ProblemBox } from '../problem-box';
import { BLOCK, useBlocks } from './hex-blocks';

const ROW = 20;
/** Browsers lose count in elements taller than a few million pixels: beyond, scrolling is scaled. */
const TALLEST = 4_000_000;
/** The least width, in pixels, in which 16 bytes a row can be read. */
const ROOM_FOR_16 = 540;

export function HexView({ found }: { found: Details }) {
  const scroller = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [room, setRoom] = useState({ rows: 16, columns: 16 });
  const blockAt = useBlocks(found);
  const { size } = found;
  const { columns } = room;
  const total = Math.ceil(size / columns);
  const height = Math.min(total * ROW, TALLEST);
  const last = Math.max(0, total - room.rows);
  const shownHeight = room.rows * ROW;
  const perRow = last > 0 ? Math.max(0, height - shownHeight) / last : 0;

  useEffect(() => {
    const element = scroller.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => {
      setRoom({
        rows: Math.max(1, Math.floor(element.clientHeight / ROW)),
        columns: element.clientWidth >= ROOM_FOR_16 ? 16 : 8,
      });
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  function goTo(row: number): void {
    const wanted = Math.max(0, Math.min(last, row));
    setTop(wanted);
    if (scroller.current !== null) scroller.current.scrollTop = wanted * perRow;
  }

  function onKeyDown(event: KeyboardEvent): void {
    const steps: Record<string, number> = {
      ArrowDown: top + 1,
      ArrowUp: top - 1,
      PageDown: top + room.rows - 1,
      PageUp: top - room.rows + 1,
      Home: 0,
      End: last,
    };
    const next = steps[event.key];
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    goTo(next);
  }

  const rows: preact.JSX.Element[] = [];
  let problem: Problem | undefined;
  for (let row = top; row <= Math.min(total - 1, top + room.rows); row += 1) {
    const offset = row * columns;
    const block = blockAt(Math.floor(offset / BLOCK));
    if (block !== undefined && 'reason' in block) problem ??= block;
    const start = offset % BLOCK;
    const bytes =
      block === undefined || 'reason' in block
        ? null
        : block.subarray(start, start + Math.min(columns, size - offset));
    const unreadable = block !== undefined && 'reason' in block;
    rows.push(
      <HexRow key={row} offset={offset} bytes={bytes} columns={columns} unreadable={unreadable} />,
    );
  }

  return (
    <div class="hex-view">
      {problem !== undefined && <ProblemBox problem={problem} />}
      {size === 0 ? (
        <p class="soft">This file is empty.</p>
      ) : (
        <div
          ref={scroller}
          class="hex-scroller mono"
          tabIndex={0}
          role="group"
          aria-label={`Bytes of ${found.name}`}
          onKeyDown={onKeyDown}
          onScroll={(event) => {
            const at = event.currentTarget.scrollTop;
            // A scroll that `goTo` caused, rounded by the browser, is no wish.
            if (Math.abs(at - top * perRow) < Math.max(1, perRow)) return;
            setTop(perRow === 0 ? 0 : Math.max(0, Math.min(last, Math.round(at / perRow))));
          }}
          onWheel={(event) => {
            // Scaled, a notch of the wheel would skip thousands of rows.
            if (total * ROW <= TALLEST || event.deltaY === 0) return;
            event.preventDefault();
            goTo(
              top + Math.sign(event.deltaY) * Math.max(1, Math.round(Math.abs(event.deltaY) / ROW)),
            );
          }}
        >
          <div style={{ height: `${height}px` }}>
            <div class="hex-rows" style={{ height: `${Math.min(shownHeight, height)}px` }}>
              {rows}
            </div>
          </div>
        </div>
      )}
      {size > columns * room.rows && (
        <GoToOffset size={size} onGo={(offset) => goTo(Math.floor(offset / columns))} />
      )}
    </div>
  );
}

interface HexRowProps {
  offset: number;
  bytes: Uint8Array | null;
  columns: number;
  unreadable: boolean;
}

function HexRow({ offset, bytes, columns, unreadable }: HexRowProps) {
  const place = offset.toString(16).padStart(8, '0');
  if (bytes === null) {
    return (
      <div class="hex-row">
        <span class="hex-offset">{place}</span>
        <span class={unreadable ? 'hex-unreadable' : 'soft'}>
          {unreadable ? 'unreadable' : '…'}
        </span>
      </div>
    );
  }
  const cells = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'));
  while (cells.length < columns) cells.push('  ');
  const half = columns / 2;
  const letters = Array.from(bytes, (byte) =>
    byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '·',
  ).join('');
  return (
    <div class="hex-row">
      <span class="hex-offset">{place}</span>
      <span>{`${cells.slice(0, half).join(' ')}  ${cells.slice(half).join(' ')}`}</span>
      <span class="hex-letters">{letters}</span>
    </div>
  );
}

function GoToOffset({ size, onGo }: { size: number; onGo: (offset: number) => void }) {
  const [text, setText] = useState('');
  const [wrong, setWrong] = useState('');
  return (
    <form
      class="hex-go"
      onSubmit={(event) => {
        event.preventDefault();
        const offset = parseOffset(text);
        if (offset === undefined) setWrong('A number is needed: 4096, or 0x1000.');
        else if (offset >= size) setWrong(`The file ends at ${number(size)}.`);
        else {
          setWrong('');
          onGo(offset);
        }
      }}
    >
      <input
        type="text"
        class="mono"
        aria-label="Go to offset"
        placeholder="Go to offset, 0x1000"
        value={text}
        spellcheck={false}
        autocomplete="off"
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <button type="submit" class="button">
        Go
      </button>
      {wrong !== '' && (
        <p class="wrong" role="alert">
          {wrong}
        </p>
      )}
    </form>
  );
}

function parseOffset(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^0x[0-9a-f]+$/i.test(trimmed)) return Number.parseInt(trimmed.slice(2), 16);
  return /^\d+$/.test(trimmed) ? Number.parseInt(trimmed, 10) : undefined;
}
