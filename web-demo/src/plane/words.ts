/** What lies at a point, in words. */
import type { Hit } from '../engine/contract';
import { bytes, number, shown } from '../state/text';

/** The folder with its last slash, and the name; both as they are shown. */
export function splitPath(path: string): [folder: string, name: string] {
  const cut = path.lastIndexOf('/', path.length - 2) + 1;
  return [shown(path.slice(0, cut)), shown(path.slice(cut))];
}

const KINDS: Record<NonNullable<Hit['kind']>, string> = {
  free: 'free space',
  node: 'a page of the tree',
  raw: 'stored as it is',
  compressed: 'compressed',
  packed: 'small files packed together',
  parity: 'parity',
  table: 'the allocation table',
  superblock: 'a superblock',
  unknown: 'not read yet',
};

const CHECKSUMS: Record<NonNullable<Hit['checksum']>, string> = {
  good: 'checksum good',
  damaged: 'damaged',
  none: 'no checksum',
  unread: 'checksum not read yet',
};

export function kindWords(hit: Hit): string {
  return hit.kind === undefined ? 'unknown' : KINDS[hit.kind];
}

export function checksumWords(hit: Hit): string | undefined {
  return hit.checksum === undefined || hit.kind === 'free' ? undefined : CHECKSUMS[hit.checksum];
}

/** What lies there, as a heading. */
export function hitTitle(hit: Hit): string {
  if (hit.outside) return 'Beyond the map';
  const many = hit.fileCount ?? hit.files?.length ?? 0;
  if (many > 1) {
    return hit.kind === 'packed'
      ? `${number(many)} small files packed together`
      : `${number(many)} files share this`;
  }
  const file = hit.files?.[0];
  if (file !== undefined) return file.path === '' ? 'A file without a name' : shown(file.path);
  switch (hit.kind) {
    case 'free':
      return 'Free space';
    case 'node':
      return 'A page of the tree';
    case 'parity':
      return 'Parity';
    case 'table':
      return 'The allocation table';
    case 'superblock':
      return 'A superblock';
    case 'raw':
    case 'compressed':
    case 'packed':
      return hit.past === true ? 'Held by a snapshot' : 'File data';
    default:
      return 'Not read yet';
  }
}

export function distanceWords(hit: { distance: number }): string {
  return `${number(hit.distance)} px from the centre`;
}

/** The same in one line, for those who listen. */
export function hitSentence(hit: Hit): string {
  const parts = [hitTitle(hit), `zone ${hit.zone}`, distanceWords(hit)];
  const file = hit.files?.length === 1 ? hit.files[0] : undefined;
  if (file !== undefined) parts.push(`offset ${bytes(file.offset)}`, kindWords(hit));
  const checksum = checksumWords(hit);
  if (checksum !== undefined) parts.push(checksum);
  return `${parts.join(', ')}.`;
}
