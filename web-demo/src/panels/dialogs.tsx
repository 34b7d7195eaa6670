/** The dialog that is open, if any. */
import { useState } from 'preact/hooks';

import { DialogFrame } from '../components/dialog';
import { late } from '../components/late';
import type { ImportReport } from '../engine/contract';
import { dialog, type Dialog, type Prompt, type Question } from '../state/dialogs';
import { shown } from '../state/text';
import '../style/dialog.css';

const CompareDialog = late(() => import('./compare-dialog').then((part) => part.CompareDialog));
const KeysDialog = late(() => import('./keys-dialog').then((part) => part.KeysDialog));
const MapsDialog = late(() => import('./maps-dialog').then((part) => part.MapsDialog));
const VerifyDialog = late(() => import('./verify-dialog').then((part) => part.VerifyDialog));

export function Dialogs() {
  const current = dialog.value;
  return current === null ? null : <Shown key={current.kind} current={current} />;
}

function close(): void {
  dialog.value = null;
}

function Shown({ current }: { current: Dialog }) {
  switch (current.kind) {
    case 'question':
      return <QuestionDialog question={current.question} answer={current.answer} />;
    case 'prompt':
      return <PromptDialog prompt={current.prompt} answer={current.answer} />;
    case 'maps':
      return <MapsDialog onClose={close} />;
    case 'keys':
      return <KeysDialog onClose={close} />;
    case 'verify':
      return <VerifyDialog onClose={close} />;
    case 'failures':
      return <FailuresDialog report={current.report} onClose={close} />;
    case 'compare':
      return <CompareDialog before={current.before} after={current.after} onClose={close} />;
  }
}

interface QuestionProps {
  question: Question;
  answer: (yes: boolean) => void;
}

function QuestionDialog({ question, answer }: QuestionProps) {
  const say = (yes: boolean) => {
    close();
    answer(yes);
  };
  return (
    <DialogFrame title={question.title} onClose={() => say(false)}>
      <p>{question.text}</p>
      <footer>
        <button type="button" class="button quiet" autofocus onClick={() => say(false)}>
          Cancel
        </button>
        {question.instead !== undefined && (
          <button
            type="button"
            class="button"
            onClick={() => {
              say(false);
              question.instead?.run();
            }}
          >
            {question.instead.action}
          </button>
        )}
        <button
          type="button"
          class={question.danger === true ? 'button danger' : 'button accent'}
          onClick={() => say(true)}
        >
          {question.action}
        </button>
      </footer>
    </DialogFrame>
  );
}

interface PromptProps {
  prompt: Prompt;
  answer: (value: { value: string; note: string } | null) => void;
}

function PromptDialog({ prompt, answer }: PromptProps) {
  const [value, setValue] = useState(prompt.value);
  const [note, setNote] = useState(prompt.note?.value ?? '');
  const [tried, setTried] = useState(false);
  const wrong = prompt.check(value);
  const say = (given: { value: string; note: string } | null) => {
    close();
    answer(given);
  };
  return (
    <DialogFrame title={prompt.title} onClose={() => say(null)}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          setTried(true);
          if (wrong === undefined) say({ value, note });
          else event.currentTarget.querySelector('input')?.focus();
        }}
      >
        {prompt.text !== undefined && <p>{prompt.text}</p>}
        <label class="field">
          <span>{prompt.label}</span>
          <input
            type={prompt.type ?? 'text'}
            value={value}
            autofocus
            autocomplete="off"
            spellcheck={false}
            placeholder={prompt.type === 'url' ? 'https://' : undefined}
            aria-invalid={tried && wrong !== undefined}
            aria-describedby="prompt-wrong"
            onInput={(event) => setValue(event.currentTarget.value)}
            onFocus={(event) => event.currentTarget.select()}
          />
        </label>
        <p id="prompt-wrong" class="wrong" role="alert">
          {tried && wrong !== undefined ? wrong : ''}
        </p>
        {prompt.note !== undefined && (
          <label class="field">
            <span>{prompt.note.label}</span>
            <input
              type="text"
              value={note}
              autocomplete="off"
              onInput={(event) => setNote(event.currentTarget.value)}
            />
          </label>
        )}
        <footer>
          <button type="button" class="button quiet" onClick={() => say(null)}>
            Cancel
          </button>
          <button type="submit" class="button accent">
            {prompt.action}
          </button>
        </footer>
      </form>
    </DialogFrame>
  );
}

function FailuresDialog({ report, onClose }: { report: ImportReport; onClose: () => void }) {
  return (
    <DialogFrame title="Not everything came in" onClose={onClose} wide>
      <p>
        {report.failedCount} of {report.files + report.failedCount} files could not be read or
        stored. The rest is there.
      </p>
      <ul class="failures" tabIndex={0} aria-label="What failed">
        {report.failed.slice(0, 500).map(({ path, message }) => (
          <li key={path}>
            <code>{shown(path)}</code>
            <span class="soft">{message}</span>
          </li>
        ))}
      </ul>
      <footer>
        <button type="button" class="button accent" onClick={onClose}>
          Understood
        </button>
      </footer>
    </DialogFrame>
  );
}
