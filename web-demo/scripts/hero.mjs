/**
 * Draws hero.svg, the picture of the start page: a Hilbert curve, warm in the middle and cool at the
 * rim, with the zones as rings. Run by hand: `node scripts/hero.mjs`; the result is committed.
 */
import { writeFileSync } from 'node:fs';
import { URL } from 'node:url';

import { point } from './hilbert.mjs';

const ORDER = 5;
const SIDE = 2 ** ORDER;
const STEP = 20;
const START = STEP / 2;

/** Files are runs along the curve: a broken line, each run in the colours of where it lies. */
const runs = [];
let at = 0;
let seed = 9;
while (at < SIDE * SIDE - 1) {
  seed = (seed * 1103515245 + 12345) % 2147483648;
  const length = 2 + ((seed >> 16) % 22);
  const end = Math.min(at + length, SIDE * SIDE - 1);
  let [x, y] = point(at, SIDE);
  let path = `M${START + x * STEP} ${START + y * STEP}`;
  let way = '';
  let far = 0;
  for (let index = at + 1; index <= end; index += 1) {
    const [nextX, nextY] = point(index, SIDE);
    const axis = nextX === x ? 'v' : 'h';
    const move = (nextX - x + nextY - y) * STEP;
    if (axis === way && Math.sign(move) === Math.sign(far)) far += move;
    else {
      if (way !== '') path += `${way}${far}`;
      way = axis;
      far = move;
    }
    [x, y] = [nextX, nextY];
  }
  runs.push(`${path}${way}${far}`);
  at = end + 1;
}

const middle = (SIDE * STEP) / 2;
const rings = [1 / 8, 1 / 4, 1 / 2, 1]
  .map((share) => `<circle cx="${middle}" cy="${middle}" r="${middle * share}"/>`)
  .join('');
writeFileSync(
  new URL('../public/hero.svg', import.meta.url),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${middle * 2} ${middle * 2}">` +
    `<defs><radialGradient id="g" gradientUnits="userSpaceOnUse" cx="${middle}" cy="${middle}" r="${middle * 1.3}">` +
    `<stop offset="0" stop-color="#ffd166"/><stop offset=".14" stop-color="#ff8a5b"/><stop offset=".36" stop-color="#d9609a"/>` +
    `<stop offset=".62" stop-color="#7a74d8"/><stop offset=".85" stop-color="#4a83b8"/><stop offset="1" stop-color="#4d7286"/></radialGradient></defs>` +
    `<g fill="none" stroke="#8795a0" stroke-opacity=".35" stroke-width="1">${rings}</g>` +
    `<path d="${runs.join('')}" fill="none" stroke="url(#g)" stroke-width="9" stroke-linecap="square" stroke-linejoin="miter"/></svg>\n`,
);
