/** Facts about nodes of a map, as text and as JSON fields. */
import * as fs from 'node:fs';

import type { Extent, Zone } from '../contract.js';
import { pathFields } from './output.js';
import {
  type Attributes,
  deviceNumbers,
  exactTime,
  isLink,
  milliseconds,
  type Session,
  TYPE,
  typeName,
} from './session.js';

/** JSON fields of a node; documented in docs/CLI.md. */
export interface NodeDocument {
  path: string;
  /** The path's bytes in base64, where they are not UTF-8. */
  pathBase64?: string;
  inode: number;
  type: string;
  /** Bytes. */
  size: number;
  /** Bytes of clusters in use. */
  stored: number;
  /** Octal permission bits. */
  mode: string;
  links: number;
  uid: number;
  gid: number;
  /** Seconds since the epoch, exact, as text. */
  accessed: string;
  modified: string;
  changed: string;
  created: string;
  importance: number;
  target?: string;
  targetBase64?: string;
  device?: string;
}

export function nodeDocument(session: Session, path: Buffer, attributes: Attributes): NodeDocument {
  const document: NodeDocument = {
    ...pathFields(path),
    inode: attributes.ino,
    type: typeName(attributes.mode),
    size: attributes.size,
    stored: attributes.blocks * 512,
    mode: (attributes.mode & 0o7777).toString(8).padStart(4, '0'),
    links: attributes.links,
    uid: attributes.uid,
    gid: attributes.gid,
    accessed: exactTime(attributes.atime),
    modified: exactTime(attributes.mtime),
    changed: exactTime(attributes.ctime),
    created: exactTime(attributes.birthtime),
    importance: attributes.importance,
  };
  if (isLink(attributes.mode)) {
    const target = pathFields(session.readlink(attributes.ino));
    document.target = target.path;
    if (target.pathBase64 !== undefined) document.targetBase64 = target.pathBase64;
  }
  const device = deviceText(attributes);
  if (device !== undefined) document.device = device;
  return document;
}

/** `major:minor` of a device node. */
export function deviceText(attributes: Attributes): string | undefined {
  const type = attributes.mode & TYPE.mask;
  if (type !== TYPE.character && type !== TYPE.block) return undefined;
  const { major, minor } = deviceNumbers(attributes.rdev);
  return `${major}:${minor}`;
}

/** Where a file's first stored byte lies; undefined where it has no cluster of its own. */
export function placeOf(session: Session, ino: number): Extent | undefined {
  const extents: Extent[] = session.raw.extents(ino, 0, 16);
  return extents.find((extent) => extent.zone !== undefined);
}

/** The zone of a file's first stored byte. */
export function zoneOf(session: Session, ino: number): Zone | undefined {
  return placeOf(session, ino)?.zone;
}

let users: Map<number, string> | undefined;
let groups: Map<number, string> | undefined;

/** The user's name on this host, else the number. */
export function userName(uid: number): string {
  users ??= readNames('/etc/passwd');
  return users.get(uid) ?? String(uid);
}

/** The group's name on this host, else the number. */
export function groupName(gid: number): string {
  groups ??= readNames('/etc/group');
  return groups.get(gid) ?? String(gid);
}

function readNames(path: string): Map<number, string> {
  const names = new Map<number, string>();
  let text: string;
  try {
    text = fs.readFileSync(path, 'utf8');
  } catch {
    return names;
  }
  for (const line of text.split('\n')) {
    const [name, , number] = line.split(':');
    if (name !== undefined && number !== undefined && !names.has(Number(number))) {
      names.set(Number(number), name);
    }
  }
  return names;
}

/** The date column of listings: time of day within half a year, else the year. */
export function listingTime(attributes: Attributes, now: number): string {
  const moment = milliseconds(attributes.mtime);
  const date = new Date(moment);
  if (Number.isNaN(date.getTime())) return String(moment);
  const month = date.toLocaleString('en-GB', { month: 'short' }).slice(0, 3);
  const day = String(date.getDate()).padStart(2);
  const recent = moment <= now + 3_600_000 && moment > now - 15_778_476_000;
  const clock = `${String(date.getHours()).padStart(2, '0')}:${String(date.getMinutes()).padStart(2, '0')}`;
  return `${month} ${day} ${recent ? clock : String(date.getFullYear()).padStart(5)}`;
}
