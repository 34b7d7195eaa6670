// A clock that stands where it is put, and random numbers that are the same every time: what is
// built after this is loaded depends on nothing else. For the example map only.
import { webcrypto } from 'node:crypto';

export const clock = { now: 0 };
Date.now = () => clock.now;
process.getuid = process.getgid = () => 0;

let state = 1;
webcrypto.getRandomValues = (array) => {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  for (let at = 0; at < bytes.length; at += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return array;
};
