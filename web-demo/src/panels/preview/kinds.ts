/** Which previews a file can have. */
import type { Details } from '../../engine/contract';

export type View = 'text' | 'image' | 'hex';

const IMAGES: Record<string, string> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  svg: 'image/svg+xml',
  avif: 'image/avif',
};

/** Names whose bytes are hardly ever text. */
const BINARY =
  /\.(bin|exe|dll|so|dylib|o|a|wasm|zip|gz|xz|zst|bz2|7z|rar|tar|jar|whl|pdf|mp[34]|ogg|flac|wav|opus|m4a|webm|mkv|mov|avi|ttf|otf|woff2?|ico|bmp|tiff?|db|sqlite3?|pack|idx|class|pyc|docx|xlsx|pptx|odt)$/i;

export function imageType(name: string): string | undefined {
  return IMAGES[name.slice(name.lastIndexOf('.') + 1).toLowerCase()];
}

export function viewsOf({ name }: Pick<Details, 'name'>): View[] {
  return imageType(name) === undefined ? ['text', 'hex'] : ['image', 'text', 'hex'];
}

export function firstView({ name }: Pick<Details, 'name'>): View {
  if (imageType(name) !== undefined) return 'image';
  return BINARY.test(name) ? 'hex' : 'text';
}
