/** An error where it happened: what, where exactly, and what can be done. */
import type { Problem } from '../engine/contract';
import { dialog } from '../state/dialogs';
import { number, shown } from '../state/text';

/** Where room is short, the maps that take it are a step away. */
export function MakeRoom() {
  return (
    <button type="button" class="button" onClick={() => (dialog.value = { kind: 'maps' })}>
      Maps in this browser
    </button>
  );
}

export function ProblemBox({ problem }: { problem: Problem }) {
  const { message, advice, path, offset, cluster } = problem;
  const where = [
    path === undefined ? '' : shown(path),
    offset === undefined ? '' : `byte ${number(offset)}`,
    cluster === undefined ? '' : `cluster ${number(cluster)}`,
  ].filter((part) => part !== '');
  return (
    <div class="box warn" role="alert">
      <strong>{message}</strong>
      {where.length > 0 && <p class="soft">{where.join(', ')}</p>}
      {advice !== undefined && <p>{advice}</p>}
      {problem.reason === 'no-space' && <MakeRoom />}
    </div>
  );
}
