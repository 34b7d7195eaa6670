// Pictures for pages: 256 colours are enough for a window, at a third of the bytes.
import UPNG from 'upng-js';

/** A PNG with a palette, of a PNG. */
export function smaller(png) {
  const { buffer, byteOffset, byteLength } = png;
  const picture = UPNG.decode(buffer.slice(byteOffset, byteOffset + byteLength));
  const [pixels] = UPNG.toRGBA8(picture);
  return Buffer.from(UPNG.encode([pixels], picture.width, picture.height, 256));
}
