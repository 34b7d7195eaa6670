/** Runs something soon, at most once in each pause, and always once more after the last wish. */
export function later(pause: number, work: () => void): { (): void; cancel(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last = -Infinity;
  const wish = (): void => {
    if (timer !== undefined) return;
    const wait = Math.max(0, last + pause - performance.now());
    timer = setTimeout(() => {
      timer = undefined;
      last = performance.now();
      work();
    }, wait);
  };
  return Object.assign(wish, {
    cancel: () => {
      clearTimeout(timer);
      timer = undefined;
    },
  });
}
