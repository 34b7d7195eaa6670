/** The cell [x, y] at a place of the Hilbert curve through a square of `across` cells, a power of two. */
export function point(index, across) {
  let x = 0;
  let y = 0;
  let rest = index;
  for (let side = 1; side < across; side *= 2) {
    const right = 1 & (rest >> 1);
    const down = 1 & (rest ^ right);
    if (down === 0) {
      if (right === 1) [x, y] = [side - 1 - x, side - 1 - y];
      [x, y] = [y, x];
    }
    x += side * right;
    y += side * down;
    rest >>= 2;
  }
  return [x, y];
}
