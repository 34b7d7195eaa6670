/** What is going on, what went wrong, and the voice for screen readers. */
import { useEffect, useRef, useState } from 'preact/hooks';

import { CircleAlert, CircleCheck, X } from 'lucide-preact';

import { Bar } from '../components/bar';
import { MakeRoom } from './problem-box';
import { importing } from '../state/importing';
import {
  announcement,
  dismiss,
  dismissAll,
  notices,
  tasks,
  type Notice as NoticeOf,
  type Task,
} from '../state/notices';
import { bytes, count, number, shown } from '../state/text';
import '../style/notices.css';

/** How long good news stays. */
const READING_TIME = 6000;
/** More at once would cover what they are about. */
const AT_ONCE = 3;

export function Notices() {
  const all = notices.value;
  return (
    <>
      <div class="hidden-visually" aria-live="polite" role="status">
        {announcement.value}
      </div>
      <section class="notices" aria-label="Notices">
        {tasks.value.map((task) => (
          <TaskCard key={task.id} task={task} />
        ))}
        {all.length > AT_ONCE && (
          <button type="button" class="button notices-more" onClick={dismissAll}>
            {count(all.length - AT_ONCE, 'more notice')}: dismiss all
          </button>
        )}
        {all.slice(-AT_ONCE).map((notice) => (
          <Notice key={notice.id} notice={notice} />
        ))}
      </section>
    </>
  );
}

function Notice({ notice }: { notice: NoticeOf }) {
  const [held, setHeld] = useState(false);
  const done = notice.kind === 'done';
  useEffect(() => {
    if (!done || held) return undefined;
    const timer = setTimeout(() => dismiss(notice.id), READING_TIME);
    return () => clearTimeout(timer);
  }, [done, held, notice.id]);
  const Icon = done ? CircleCheck : CircleAlert;
  return (
    <div
      class={`notice ${notice.kind}`}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
    >
      <Icon size={18} aria-hidden="true" />
      <div>
        <p>{notice.text}</p>
        {notice.advice !== undefined && <p class="soft">{notice.advice}</p>}
        {notice.full === true && <MakeRoom />}
      </div>
      <button
        type="button"
        class="icon-button"
        aria-label="Dismiss"
        onClick={() => dismiss(notice.id)}
      >
        <X size={16} aria-hidden="true" />
      </button>
    </div>
  );
}

/** Short tasks end before their card would be read: it comes a little later. */
const PATIENCE = 250;

function TaskCard({ task }: { task: Task }) {
  const [visible, setVisible] = useState(false);
  const began = useRef(performance.now());
  useEffect(() => {
    const timer = setTimeout(() => setVisible(true), PATIENCE);
    return () => clearTimeout(timer);
  }, []);
  if (!visible) return null;
  const progress = task.progress;
  const incoming = importing.value?.title === task.title ? importing.value : null;
  const seconds = (performance.now() - began.current) / 1000;
  const parts: string[] = [];
  if (incoming !== null) parts.push(count(incoming.feed.files, 'file'));
  if (progress !== null && progress.done > 0) {
    const show = task.unit === 'bytes' ? bytes : number;
    parts.push(
      progress.total > 0
        ? `${show(progress.done)} of ${show(progress.total)}`
        : show(progress.done),
    );
    if (task.unit === 'bytes' && seconds > 1) parts.push(`${bytes(progress.done / seconds)}/s`);
  }
  return (
    <div class="notice task">
      <div>
        <p>{task.title}</p>
        <Bar done={progress?.done ?? 0} total={progress?.total ?? 0} label={task.title} />
        <p class="soft figures">{parts.join(' · ')}</p>
        {progress?.at !== undefined && <p class="soft at">{shown(progress.at)}</p>}
      </div>
      {incoming !== null && (
        <button type="button" class="button quiet" onClick={() => incoming.feed.stop()}>
          Stop
        </button>
      )}
    </div>
  );
}
