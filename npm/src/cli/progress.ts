/**
 * Progress of long jobs: a bar with rate and time left on stderr, only where a person watches.
 *
 * The engine works synchronously, so the bar is redrawn from `update`, never from a timer.
 */
import * as tty from 'node:tty';

import { humanCount, humanDuration, humanSize, type Output } from './output.js';

export interface Progress {
  /** Work done so far and, where it changed, the total. Cheap enough to call for every file. */
  update(done: number, total?: number): void;
  /** Removes the bar. */
  end(): void;
}

const SILENT: Progress = {
  update: () => undefined,
  end: () => undefined,
};

const REDRAW_MILLISECONDS = 100;

/**
 * A bar titled `title` over `total` units, or nothing when stderr is not a terminal or the user
 * asked for quiet.
 */
export async function startProgress(
  output: Output,
  title: string,
  total: number,
  unit: 'bytes' | 'count' = 'bytes',
): Promise<Progress> {
  if (output.quiet || output.json || !tty.isatty(2)) return SILENT;
  const { default: library } = await import('cli-progress');
  const started = performance.now();
  const show = unit === 'bytes' ? humanSize : humanCount;
  let lastDraw = -Infinity;
  let wholeWork = total;

  const details = (done: number): { amount: string; rate: string; left: string } => {
    const seconds = (performance.now() - started) / 1000;
    const rate = seconds > 0 ? done / seconds : 0;
    const left = rate > 0 ? ((wholeWork - done) / rate) * 1000 : Number.NaN;
    return {
      amount: `${show(done)} of ${show(wholeWork)}`,
      rate: `${show(Math.round(rate))}/s`,
      left: Number.isFinite(left) && seconds > 0.5 ? `${humanDuration(left)} left` : '',
    };
  };
  const bar = new library.SingleBar(
    {
      format: `${title} [{bar}] {percentage} %  {amount}  {rate}  {left}`,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 24,
      hideCursor: false,
      clearOnComplete: true,
      stream: process.stderr,
      synchronousUpdate: true,
      gracefulExit: false,
      fps: 1000 / REDRAW_MILLISECONDS,
    },
    library.Presets.legacy,
  );
  bar.start(Math.max(1, total), 0, details(0));
  return {
    update(done, newTotal) {
      const now = performance.now();
      if (now - lastDraw < REDRAW_MILLISECONDS) return;
      lastDraw = now;
      if (newTotal !== undefined && newTotal !== wholeWork) {
        wholeWork = newTotal;
        bar.setTotal(Math.max(1, newTotal));
      }
      bar.update(Math.min(done, wholeWork), details(done));
      bar.render();
    },
    end() {
      bar.stop();
    },
  };
}
