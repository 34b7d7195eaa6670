/**
 * Questions to the person at the terminal. Asked only when both stdin and stderr are terminals;
 * a script never hangs on one.
 */
import * as fs from 'node:fs';
import * as tty from 'node:tty';

import { oneLine } from './failure.js';
import { writeAll } from './output.js';

/** True when a question would reach a person. */
export function canAsk(): boolean {
  return tty.isatty(0) && tty.isatty(2);
}

export type Answer = 'yes' | 'no' | 'all';

/** Asks until the answer is y, n or a (all); an empty answer or the end of input is no. */
export function ask(question: string): Answer {
  for (;;) {
    writeAll(2, Buffer.from(`${oneLine(question)} [y/N/all] `));
    const answer = readLine()?.trim().toLowerCase();
    if (answer === undefined || answer === '' || answer === 'n' || answer === 'no') return 'no';
    if (answer === 'y' || answer === 'yes') return 'yes';
    if (answer === 'a' || answer === 'all') return 'all';
  }
}

/** One line from the terminal without its line break; undefined at the end of input. */
function readLine(): string | undefined {
  const bytes: number[] = [];
  const one = Buffer.alloc(1);
  const descriptor = fs.openSync('/dev/tty', 'r');
  try {
    while (bytes.length < 4096) {
      if (fs.readSync(descriptor, one, 0, 1, null) === 0) {
        return bytes.length === 0 ? undefined : Buffer.from(bytes).toString('utf8');
      }
      const byte = one[0] ?? 0;
      if (byte === 0x0a) break;
      bytes.push(byte);
    }
  } finally {
    fs.closeSync(descriptor);
  }
  return Buffer.from(bytes).toString('utf8');
}
