/** Several files lie in one cluster: which is meant? */
import { X } from 'lucide-preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

import { number } from '../state/text';
import { current } from './current';
import { clamp } from './geometry';
import { choice } from './pointing';
import { selectPath } from './select';
import { hitTitle, splitPath } from './words';

export function ChoiceList() {
  const offered = choice.value;
  const card = useRef<HTMLDivElement>(null);

  useLayoutEffect(() => {
    const element = card.current;
    const chart = current.peek();
    if (element === null || chart === null || offered === null) return;
    const size = chart.map.getSize();
    const insets = chart.insets();
    const left = clamp(
      offered.screen.x - 20,
      insets.left + 8,
      Math.max(size.x - insets.right - element.offsetWidth - 8, insets.left + 8),
    );
    const top = clamp(
      offered.screen.y + 12,
      insets.top + 8,
      Math.max(size.y - insets.bottom - element.offsetHeight - 8, insets.top + 8),
    );
    element.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
    element.querySelector<HTMLElement>('li button')?.focus();
  }, [offered]);

  if (offered === null) return null;
  const { files = [], fileCount = files.length } = offered.hit;
  const close = (): void => {
    choice.value = null;
    current.peek()?.element.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (event.key === 'Escape') close();
    else if (step === 0) return;
    else {
      const rows = [...(card.current?.querySelectorAll<HTMLElement>('li button') ?? [])];
      const here = rows.findIndex((row) => row === document.activeElement);
      rows[clamp(here + step, 0, rows.length - 1)]?.focus();
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      ref={card}
      class="plane-card plane-choice"
      role="dialog"
      aria-label={`${hitTitle(offered.hit)}: choose one`}
      onKeyDown={onKeyDown}
    >
      <header>
        <strong>{hitTitle(offered.hit)}</strong>
        <button type="button" class="plane-tool" aria-label="Close" onClick={close}>
          <X size={16} />
        </button>
      </header>
      <ul data-scrolls>
        {files.map(({ path }) => {
          const [folder, name] = splitPath(path);
          return (
            <li key={path}>
              <button type="button" onClick={() => selectPath(path)}>
                <strong>{name}</strong>
                <span class="plane-soft">{folder}</span>
              </button>
            </li>
          );
        })}
      </ul>
      {fileCount > files.length && (
        <p class="plane-soft">and {number(fileCount - files.length)} more</p>
      )}
    </div>
  );
}
