/** Finds files by name. The list is a listbox under a combobox: arrows choose, Enter goes there. */
import { useEffect, useRef, useState } from 'preact/hooks';

import { Search as SearchIcon } from 'lucide-preact';

import { FileIcon } from '../components/file-icon';
import { engine } from '../engine/client';
import type { Found } from '../engine/contract';
import { choose } from '../state/choose';
import { filesRevision } from '../state/map';
import { announce, problemOf } from '../state/notices';
import { count, nameOf, parentOf, shown } from '../state/text';
import { snapshot } from '../state/view';

const LIMIT = 60;
const PAUSE = 120;

export function Search() {
  const [text, setText] = useState('');
  const [found, setFound] = useState<Found | null>(null);
  const [wrong, setWrong] = useState<string | null>(null);
  const [at, setAt] = useState(0);
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const revision = filesRevision.value;
  const past = snapshot.value;

  useEffect(() => {
    const wanted = text.trim();
    if (wanted === '') {
      setFound(null);
      setWrong(null);
      return undefined;
    }
    let current = true;
    const timer = setTimeout(() => {
      engine.search(wanted, LIMIT).then(
        (result) => {
          if (!current) return;
          setFound(result);
          setWrong(null);
          setAt(0);
          announce(count(result.entries.length, 'result'));
        },
        (error: unknown) => {
          if (current) setWrong(problemOf(error).message);
        },
      );
    }, PAUSE);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [text, revision, past]);

  useEffect(() => {
    list.current?.children[at]?.scrollIntoView({ block: 'nearest' });
  }, [at]);

  const entries = found?.entries ?? [];
  const shownList = open && (found !== null || wrong !== null);

  function go(index: number): void {
    const entry = entries[index];
    if (entry === undefined) return;
    setOpen(false);
    void choose(entry.path);
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key === 'ArrowDown') setAt(Math.min(at + 1, entries.length - 1));
    else if (event.key === 'ArrowUp') setAt(Math.max(at - 1, 0));
    else if (event.key === 'Enter') go(at);
    else if (event.key === 'Escape' && text !== '') {
      setText('');
      setOpen(false);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  return (
    <div
      class="search"
      ref={box}
      role="search"
      onFocusOut={(event) => {
        if (!(event.relatedTarget instanceof Node && box.current?.contains(event.relatedTarget))) {
          setOpen(false);
        }
      }}
    >
      <SearchIcon size={16} aria-hidden="true" />
      <input
        id="search"
        type="text"
        role="combobox"
        inputMode="search"
        placeholder="Search"
        aria-label="Search files"
        aria-expanded={shownList}
        aria-controls="search-results"
        aria-autocomplete="list"
        aria-activedescendant={shownList && entries.length > 0 ? `found-${at}` : undefined}
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setOpen(true);
        }}
        onFocus={(event) => {
          setOpen(true);
          event.currentTarget.select();
        }}
        onKeyDown={onKeyDown}
      />
      <kbd aria-hidden="true">/</kbd>
      {shownList && (
        <div class="search-results">
          <ul id="search-results" role="listbox" aria-label="Found files" ref={list}>
            {entries.map((entry, index) => (
              <li
                key={entry.path}
                id={`found-${index}`}
                role="option"
                aria-selected={index === at}
                onPointerDown={(event) => event.preventDefault()}
                onClick={() => go(index)}
                onPointerMove={() => setAt(index)}
              >
                <FileIcon entry={entry} />
                <span class="found-name">
                  <Marked text={shown(nameOf(entry.path))} mark={text.trim()} />
                </span>
                <span class="found-where">{shown(parentOf(entry.path))}</span>
              </li>
            ))}
          </ul>
          {wrong !== null && <p class="search-note">{wrong}</p>}
          {wrong === null && entries.length === 0 && (
            <p class="search-note">No name contains this.</p>
          )}
          {found?.truncated === true && (
            <p class="search-note">There are more: go on typing to narrow it down.</p>
          )}
        </div>
      )}
    </div>
  );
}

function Marked({ text, mark }: { text: string; mark: string }) {
  const start = text.toLowerCase().indexOf(mark.toLowerCase());
  if (mark === '' || start < 0) return <>{text}</>;
  const end = start + mark.length;
  return (
    <>
      {text.slice(0, start)}
      <mark>{text.slice(start, end)}</mark>
      {text.slice(end)}
    </>
  );
}
