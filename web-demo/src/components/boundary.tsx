/** A part of the page that cannot be drawn says so in its own place, and the rest goes on. */
import type { ReadonlySignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useErrorBoundary } from 'preact/hooks';

import { problemOf } from '../state/notices';

interface BoundaryProps {
  /** What is in it: "The details". */
  what: string;
  /** When this becomes another, it is tried again: most often it is one file that cannot be shown. */
  about?: ReadonlySignal<unknown>;
  children: ComponentChildren;
}

export function Boundary({ what, about, children }: BoundaryProps) {
  const [error, again] = useErrorBoundary((thrown: unknown) => console.error(thrown)) as [
    unknown,
    () => void,
  ];
  useEffect(() => about?.subscribe(() => again()), [about]);
  if (error === undefined) return <>{children}</>;
  return (
    <div class="box warn boundary" role="alert">
      <strong>{what} cannot be shown.</strong>
      <p>{problemOf(error).message}</p>
      <p>The map itself is untouched.</p>
      <button type="button" class="button" onClick={again}>
        Show it again
      </button>
    </div>
  );
}
