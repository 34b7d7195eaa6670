/** Which rows of a long list are to be drawn: those in sight and a few beside them. */
import { useEffect, useState } from 'preact/hooks';
import type { RefObject } from 'preact';

const BESIDE = 4;
/** The range moves by so many rows at once, so that most steps of a scroll draw nothing. */
const STRIDE = 8;

export function useWindow(
  scroller: RefObject<HTMLElement>,
  count: number,
  rowHeight: number,
): { first: number; last: number } {
  const [range, setRange] = useState({ first: 0, last: 40 });
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const measure = () => {
      const top = Math.floor(element.scrollTop / rowHeight / STRIDE) * STRIDE;
      const end = (element.scrollTop + element.clientHeight) / rowHeight;
      const first = Math.max(0, top - BESIDE);
      const last = Math.ceil(end / STRIDE) * STRIDE + BESIDE;
      setRange((before) =>
        before.first === first && before.last === last ? before : { first, last },
      );
    };
    measure();
    element.addEventListener('scroll', measure, { passive: true });
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => {
      element.removeEventListener('scroll', measure);
      observer.disconnect();
    };
  }, [scroller, rowHeight]);
  return { first: Math.min(range.first, count), last: Math.min(range.last, count) };
}

/** Height of a row, as `--row` gives it: taller for fingers. */
export function rowHeight(): number {
  return matchMedia('(pointer: coarse)').matches ? 44 : 28;
}
