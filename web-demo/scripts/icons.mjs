/**
 * Draws the mark (a Hilbert curve in a square) as favicon.svg and as the PNG icons of the installed
 * page. Run by hand when the mark changes: `node scripts/icons.mjs`; the results are committed.
 */
import { Buffer } from 'node:buffer';
import { writeFileSync } from 'node:fs';
import { URL } from 'node:url';
import { deflateSync } from 'node:zlib';

import { point } from './hilbert.mjs';

const target = new URL('../public/', import.meta.url);
const GROUND = [17, 22, 26];
const INK = [201, 242, 107];

/** The curve of the second order, in cells of a 4 x 4 square. */
const points = Array.from({ length: 16 }, (_, index) => point(index, 4));

/** Distance of a point from the curve, all in cells. */
function distance(px, py) {
  let least = Infinity;
  for (let index = 1; index < points.length; index += 1) {
    const [ax, ay] = points[index - 1];
    const [bx, by] = points[index];
    const along = Math.max(0, Math.min(1, (px - ax) * (bx - ax) + (py - ay) * (by - ay)));
    least = Math.min(least, Math.hypot(px - ax - along * (bx - ax), py - ay - along * (by - ay)));
  }
  return least;
}

/** `room`: how much of the side the curve takes; `corner`: radius of the square as a share of the side. */
function draw(size, room, corner) {
  const cell = (size * room) / 3;
  const start = (size - size * room) / 2;
  const radius = size * corner;
  const rows = Buffer.alloc(size * (1 + size * 4));
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      const stroke = (distance((x + 0.5 - start) / cell, (y + 0.5 - start) / cell) - 0.2) * cell;
      const ink = Math.max(0, Math.min(1, 0.5 - stroke));
      const outX = Math.max(radius - (x + 0.5), x + 0.5 - (size - radius), 0);
      const outY = Math.max(radius - (y + 0.5), y + 0.5 - (size - radius), 0);
      const inside =
        radius === 0 ? 1 : Math.max(0, Math.min(1, radius - Math.hypot(outX, outY) + 0.5));
      const at = y * (1 + size * 4) + 1 + x * 4;
      for (let channel = 0; channel < 3; channel += 1) {
        rows[at + channel] = Math.round(GROUND[channel] * (1 - ink) + INK[channel] * ink);
      }
      rows[at + 3] = Math.round(255 * inside);
    }
  }
  return png(size, rows);
}

const table = Uint32Array.from({ length: 256 }, (_, value) => {
  let rest = value;
  for (let bit = 0; bit < 8; bit += 1) rest = rest & 1 ? 0xedb88320 ^ (rest >>> 1) : rest >>> 1;
  return rest >>> 0;
});

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  let sum = 0xffffffff;
  for (const byte of body) sum = table[(sum ^ byte) & 255] ^ (sum >>> 8);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE((sum ^ 0xffffffff) >>> 0, out.length - 4);
  return out;
}

function png(size, rows) {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(size, 0);
  head.writeUInt32BE(size, 4);
  head.set([8, 6, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const path = points
  .map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${7 + x * 6} ${7 + y * 6}`)
  .join('');
writeFileSync(
  new URL('favicon.svg', target),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#11161a"/>` +
    `<path d="${path}" fill="none" stroke="#c9f26b" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round"/></svg>\n`,
);
writeFileSync(new URL('icon-192.png', target), draw(192, 0.58, 0.22));
writeFileSync(new URL('icon-512.png', target), draw(512, 0.58, 0.22));
// Maskable: the whole square is filled, the curve stays in the safe circle in the middle.
writeFileSync(new URL('icon-maskable-192.png', target), draw(192, 0.42, 0));
writeFileSync(new URL('icon-maskable-512.png', target), draw(512, 0.42, 0));
writeFileSync(new URL('apple-touch-icon.png', target), draw(180, 0.54, 0));
