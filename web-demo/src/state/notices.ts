/** What the page tells the visitor: running tasks, errors, announcements for screen readers. */
import { signal } from '@preact/signals';

import type { OnProgress, Problem, Progress } from '../engine/contract';

export interface Task {
  id: number;
  /** What is being done, as a phrase: "Building notes". */
  title: string;
  progress: Progress | null;
  /** Bytes or things, for how `progress` is shown. */
  unit: 'bytes' | 'things';
}

export interface Notice {
  id: number;
  kind: 'done' | 'problem';
  text: string;
  advice?: string;
  /** There was no room for it in this browser. */
  full?: boolean;
  /** When the visitor puts it away. */
  accept?: () => void;
}

export const tasks = signal<readonly Task[]>([]);
export const notices = signal<readonly Notice[]>([]);
/** The last announcement, read out by a live region. */
export const announcement = signal('');

let lastId = 0;

export function announce(text: string): void {
  announcement.value = text;
}

/** Says that something is done; it goes away by itself. */
export function tell(text: string): void {
  notices.value = [...notices.value, { id: ++lastId, kind: 'done', text }];
  announce(text);
}

/** Says what went wrong, until the visitor puts it away. */
export function complain(error: unknown): void {
  const { message, advice, reason } = problemOf(error);
  notices.value = [
    // What is said again is said once, at the end.
    ...notices.value.filter(({ text }) => text !== message),
    {
      id: ++lastId,
      kind: 'problem',
      text: message,
      full: reason === 'no-space',
      ...(advice === undefined ? {} : { advice }),
    },
  ];
  announce(message);
}

/** Says something that is not to be overlooked, until the visitor puts it away. */
export function warn(text: string, advice: string, accept: () => void): void {
  notices.value = [...notices.value, { id: ++lastId, kind: 'problem', text, advice, accept }];
  announce(text);
}

export function dismiss(id: number): void {
  notices.value.find((notice) => notice.id === id)?.accept?.();
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

export function dismissAll(): void {
  for (const { accept } of notices.value) accept?.();
  notices.value = [];
}

/** What the worker throws carries its problem; anything else is one of ours. */
export function problemOf(error: unknown): Problem {
  if (typeof error === 'object' && error !== null && 'reason' in error && 'message' in error) {
    return error as Problem;
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'EUNKNOWN', reason: 'unknown', message };
}

/**
 * Runs something long with a line of progress.
 * @returns its result, or undefined when it failed, which the visitor has been told then
 */
export async function runTask<T>(
  title: string,
  unit: Task['unit'],
  work: (onProgress: OnProgress) => Promise<T>,
): Promise<T | undefined> {
  const id = ++lastId;
  tasks.value = [...tasks.value, { id, title, progress: null, unit }];
  announce(title);
  try {
    return await work((progress) => {
      tasks.value = tasks.value.map((task) => (task.id === id ? { ...task, progress } : task));
    });
  } catch (error) {
    complain(error);
    return undefined;
  } finally {
    tasks.value = tasks.value.filter((task) => task.id !== id);
  }
}
