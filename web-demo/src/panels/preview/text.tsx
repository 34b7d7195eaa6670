/** A file as text, which can be changed where the map can. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';

import { engine } from '../../engine/client';
import type { Details, Problem } from '../../engine/contract';
import { changeable } from '../../state/choose';
import { drafts, keepDraft } from '../../state/drafts';
import { filesRevision, openMap } from '../../state/map';
import { announce, problemOf, tell } from '../../state/notices';
import { bytes as bytesOf, count, nameOf, shown } from '../../state/text';
import { selection } from '../../state/view';
import { ProblemBox } from '../problem-box';
import { useBytes } from './reading';

const LIMIT = 1 << 20;

interface TextViewProps {
  found: Details;
  /** Called once when the bytes turn out to be no text. */
  onBinary: (() => void) | undefined;
}

/** How the lines of a text end; a text field knows only '\n' and would change the others. */
type Ending = '\n' | '\r\n' | 'mixed';

interface Decoded {
  text: string;
  ending: Ending;
  /** No UTF-8, or bytes that no text has. */
  binary: boolean;
}

export function TextView({ found, onBinary }: TextViewProps) {
  const { bytes, problem } = useBytes(found, LIMIT);
  const decoded = useMemo(
    () => (bytes === null ? null : decode(bytes, found.size > LIMIT)),
    [bytes],
  );
  useEffect(() => {
    if (decoded?.binary === true) onBinary?.();
  }, [decoded]);
  if (problem !== null) return <ProblemBox problem={problem} />;
  if (decoded === null) return <p class="soft">Reading…</p>;
  if (decoded.binary) {
    return <p class="soft">These bytes are no UTF-8 text. The tab Hex shows them as they are.</p>;
  }
  return <Editor found={found} decoded={decoded} />;
}

function decode(bytes: Uint8Array, cut: boolean): Decoded {
  let text: string;
  try {
    // `stream`: a character that the limit has cut in two is left out instead of being wrong.
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, {
      stream: cut,
    });
  } catch {
    return { text: '', ending: '\n', binary: true };
  }
  const pairs = text.split('\r\n').length - 1;
  const returns = text.split('\r').length - 1;
  const feeds = text.split('\n').length - 1;
  const ending = returns === 0 ? '\n' : pairs === returns && pairs === feeds ? '\r\n' : 'mixed';
  return { text: text.replaceAll('\r\n', '\n'), ending, binary: text.includes('\0') };
}

function Editor({ found, decoded }: { found: Details; decoded: Decoded }) {
  const { path, size } = found;
  const field = useRef<HTMLTextAreaElement>(null);
  const [saving, setSaving] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const whole = size <= LIMIT;
  const editable = changeable.value && whole && decoded.ending !== 'mixed';
  // What is being written belongs to the present; the past is shown as it was.
  const draft = editable ? drafts.value.get(path) : undefined;
  const changed = draft !== undefined && draft !== decoded.text;

  useEffect(
    () => () => {
      if (selection.peek() === path || openMap.peek() === null || !drafts.peek().has(path)) return;
      tell(`${shown(nameOf(path))} is not saved; your changes wait for you there.`);
    },
    [path],
  );

  async function save(): Promise<void> {
    if (draft === undefined || saving) return;
    setSaving(true);
    setProblem(null);
    try {
      const text = decoded.ending === '\r\n' ? draft.replaceAll('\n', '\r\n') : draft;
      await engine.write(path, new TextEncoder().encode(text));
      // Saved means that it is on the disk: until then the draft is what there is.
      await engine.sync();
      // What was typed while it was being written is still to be saved.
      if (drafts.value.get(path) === draft) keepDraft(path, undefined);
      filesRevision.value += 1;
      announce('Saved');
    } catch (error) {
      setProblem(problemOf(error));
    }
    setSaving(false);
  }

  return (
    <div class="text-view">
      {problem !== null && <ProblemBox problem={problem} />}
      <textarea
        ref={field}
        class="mono"
        aria-label={editable ? `Text of ${found.name}` : `Text of ${found.name}, read-only`}
        value={draft ?? decoded.text}
        readOnly={!editable}
        spellcheck={false}
        wrap="off"
        onInput={(event) => {
          const text = event.currentTarget.value;
          keepDraft(path, text === decoded.text ? undefined : text);
        }}
        onKeyDown={(event) => {
          if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 's') {
            event.preventDefault();
            if (changed) void save();
          }
        }}
      />
      {editable && changed && (
        <div class="text-actions">
          <span class="unsaved">● Not saved</span>
          <button type="button" class="button quiet" onClick={() => keepDraft(path, undefined)}>
            Revert
          </button>
          <button type="button" class="button accent" disabled={saving} onClick={() => void save()}>
            Save
          </button>
        </div>
      )}
      {!whole && (
        <p class="soft">
          The first {bytesOf(LIMIT)} of {bytesOf(size)}. Download the file to read on.
        </p>
      )}
      {whole && decoded.ending === 'mixed' && changeable.value && (
        <p class="soft">Its lines end in different ways, which editing here would change.</p>
      )}
      {whole && size > 0 && !changed && (
        <p class="soft">
          {count(lines(decoded.text), 'line')}
          {decoded.ending === '\r\n' && ', ended as in Windows'}
        </p>
      )}
    </div>
  );
}

function lines(text: string): number {
  let found = text.endsWith('\n') || text === '' ? 0 : 1;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) found += 1;
  return found;
}
