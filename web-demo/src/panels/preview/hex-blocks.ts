/** Bytes of a file by blocks, read when they come into sight; a few blocks are kept. */
import { useEffect, useRef, useState } from 'preact/hooks';

import { engine } from '../../engine/client';
import type { Details, Problem } from '../../engine/contract';
import { problemOf } from '../../state/notices';
import { snapshot } from '../../state/view';

export const BLOCK = 16 * 1024;
const KEPT = 64;

type Block = Uint8Array | Problem | 'reading';

/** @returns a function that gives a block, or undefined while it is on its way */
export function useBlocks(found: Details): (index: number) => Uint8Array | Problem | undefined {
  const blocks = useRef(new Map<number, Block>());
  const [, redraw] = useState(0);
  const { path, size, modified, changed } = found;
  const key = JSON.stringify([path, size, modified, changed, snapshot.value]);
  const held = useRef(key);
  if (held.current !== key) {
    held.current = key;
    blocks.current = new Map();
  }
  useEffect(() => redraw((count) => count + 1), [key]);

  return (index) => {
    const cache = blocks.current;
    const known = cache.get(index);
    if (known !== undefined) return known === 'reading' ? undefined : known;
    cache.set(index, 'reading');
    for (const old of cache.keys()) {
      if (cache.size <= KEPT) break;
      cache.delete(old);
    }
    const take = (block: Block) => {
      cache.set(index, block);
      if (blocks.current === cache) redraw((count) => count + 1);
    };
    engine
      .read(path, index * BLOCK, Math.min(BLOCK, size - index * BLOCK))
      .then(take, (error: unknown) => take(problemOf(error)));
    return undefined;
  };
}
