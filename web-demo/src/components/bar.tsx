/** How far a task is; unknown while there is no total. */
export function Bar({ done, total, label }: { done: number; total: number; label: string }) {
  return total > 0 ? (
    <progress class="bar" aria-label={label} value={Math.min(done, total)} max={total} />
  ) : (
    <progress class="bar" aria-label={label} />
  );
}
