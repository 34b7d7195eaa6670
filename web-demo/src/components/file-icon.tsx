/** The icon of an entry, by its type and, for files, by its name. */
import {
  Archive,
  File,
  FileCode,
  FileCog,
  FileImage,
  FileMusic,
  FileText,
  FileVideoCamera,
  Folder,
  FolderOpen,
  Link,
  type LucideIcon,
} from 'lucide-preact';

import type { Entry } from '../engine/contract';

const BY_ENDING: [RegExp, LucideIcon][] = [
  [/\.(png|jpe?g|gif|webp|svg|avif|bmp|ico|tiff?)$/i, FileImage],
  [/\.(md|txt|pdf|docx?|odt|rtf|tex|log|csv)$/i, FileText],
  [/\.(mp3|ogg|flac|wav|opus|m4a)$/i, FileMusic],
  [/\.(mp4|webm|mkv|mov|avi)$/i, FileVideoCamera],
  [/\.(zip|gz|xz|zst|bz2|tar|7z|rar|jar|whl)$/i, Archive],
  [/\.([cm]?[jt]sx?|rs|py|c|h|cc|cpp|hpp|go|java|rb|sh|html?|css|wasm|sql|lua|php)$/i, FileCode],
  [/\.(toml|ya?ml|json|ini|cfg|conf|lock)$/i, FileCog],
];

interface FileIconProps {
  entry: Pick<Entry, 'name' | 'type'>;
  open?: boolean;
  size?: number;
}

export function FileIcon({ entry, open = false, size = 16 }: FileIconProps) {
  const Icon =
    entry.type === 'directory'
      ? open
        ? FolderOpen
        : Folder
      : entry.type === 'symlink'
        ? Link
        : (BY_ENDING.find(([ending]) => ending.test(entry.name))?.[1] ?? File);
  return <Icon class={`file-icon ${entry.type}`} size={size} aria-hidden="true" />;
}
