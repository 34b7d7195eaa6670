/** Reads a file for a preview, again whenever it has changed. */
import { useEffect, useState } from 'preact/hooks';

import { engine } from '../../engine/client';
import type { Details, Problem } from '../../engine/contract';
import { problemOf } from '../../state/notices';
import { snapshot } from '../../state/view';

/** Read at once: what the engine gives in one piece. */
const PIECE = 1 << 20;

export interface Reading {
  bytes: Uint8Array<ArrayBuffer> | null;
  problem: Problem | null;
}

/** The first `limit` bytes. Nothing while they are being read. */
export function useBytes(found: Details, limit: number): Reading {
  const [reading, setReading] = useState<Reading>({ bytes: null, problem: null });
  const { path, size, modified, changed } = found;
  const past = snapshot.value;
  useEffect(() => {
    let current = true;
    readAll(path, Math.min(size, limit), () => current).then(
      (bytes) => {
        if (current) setReading({ bytes, problem: null });
      },
      (error: unknown) => {
        if (current) setReading({ bytes: null, problem: problemOf(error) });
      },
    );
    return () => {
      current = false;
    };
  }, [path, size, modified, changed, past, limit]);
  return reading;
}

async function readAll(
  path: string,
  length: number,
  wanted: () => boolean,
): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(length);
  let at = 0;
  while (at < length && wanted()) {
    const piece = await engine.read(path, at, Math.min(PIECE, length - at));
    if (piece.length === 0) break;
    whole.set(piece, at);
    at += piece.length;
  }
  return whole.subarray(0, at);
}
