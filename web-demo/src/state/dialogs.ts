/** Questions to the visitor. One dialog is open at a time; the one who asks waits for the answer. */
import { signal } from '@preact/signals';

import type { ImportReport } from '../engine/contract';

export interface Question {
  title: string;
  text: string;
  /** What the button that goes on says: a verb. */
  action: string;
  danger?: boolean;
  /** Another way out, which counts as a no. */
  instead?: { action: string; run: () => void };
}

export interface Prompt {
  title: string;
  text?: string;
  label: string;
  value: string;
  action: string;
  note?: { label: string; value: string };
  type?: 'text' | 'url';
  /** What is wrong with an answer, or undefined. */
  check(value: string): string | undefined;
}

export type Dialog =
  | { kind: 'question'; question: Question; answer: (yes: boolean) => void }
  | {
      kind: 'prompt';
      prompt: Prompt;
      answer: (value: { value: string; note: string } | null) => void;
    }
  | { kind: 'keys' }
  | { kind: 'maps' }
  | { kind: 'verify' }
  | { kind: 'failures'; report: ImportReport }
  | { kind: 'compare'; before: string | null; after: string | null };

export const dialog = signal<Dialog | null>(null);

/** Asks; a dialog that asks comes back when it has been answered. */
export function confirm(question: Question): Promise<boolean> {
  const before = dialog.peek();
  return new Promise((resolve) => {
    const answer = (yes: boolean) => {
      dialog.value ??= before;
      resolve(yes);
    };
    dialog.value = { kind: 'question', question, answer };
  });
}

export function ask(prompt: Prompt): Promise<{ value: string; note: string } | null> {
  return new Promise((answer) => (dialog.value = { kind: 'prompt', prompt, answer }));
}
