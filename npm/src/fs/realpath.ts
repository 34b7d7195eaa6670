/**
 * The path of a file without symbolic links, "." and "..": component by component, in bytes.
 */

import { AetherFlowError } from '../errors.js';
import type { Bytes, ByteString, Gate } from '../gate.js';
import { isLinkMode } from './stats.js';

/** Linux follows this many symbolic links before it gives up. */
const LINK_LIMIT = 40;

function components(path: Uint8Array | string): ByteString[] {
  const bytes = typeof path === 'string' ? Buffer.from(path) : Buffer.from(path);
  return bytes
    .toString('latin1')
    .split('/')
    .filter((part) => part !== '' && part !== '.');
}

/** The canonical absolute path of an existing file. */
export function realPath(gate: Gate, path: string | Uint8Array): Bytes {
  if (path.length === 0) throw new AetherFlowError('ENOENT');
  // Fails as the engine does for whatever is wrong with the path as a whole.
  gate.resolve(path, true);
  const waiting = components(path).reverse();
  const names: ByteString[] = [];
  const inodes = [gate.root];
  let links = 0;
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    if (part === '..') {
      names.pop();
      if (inodes.length > 1) inodes.pop();
      continue;
    }
    const ino = gate.lookup(inodes.at(-1) ?? gate.root, Buffer.from(part, 'latin1'));
    if (ino === 0) throw new AetherFlowError('ENOENT');
    if (!isLinkMode(gate.mode(ino))) {
      names.push(part);
      inodes.push(ino);
      continue;
    }
    links += 1;
    if (links > LINK_LIMIT) throw new AetherFlowError('ELOOP');
    const target = gate.readlink(ino);
    if (target[0] === 0x2f) {
      names.length = 0;
      inodes.length = 1;
    }
    waiting.push(...components(target).reverse());
  }
  return Buffer.from(`/${names.join('/')}`, 'latin1');
}
