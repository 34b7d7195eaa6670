/**
 * The kernel's table of mounts, as far as it concerns maps. Reading it never touches a mount point,
 * so a helper that is gone or stuck cannot stop the caller.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';

/** A mounted map in the kernel's table. */
export interface MountRow {
  /** Absolute path of the map. */
  readonly map: string;
  /** Absolute path of the directory. */
  readonly mountPoint: string;
  readonly readOnly: boolean;
}

const TABLE = '/proc/self/mountinfo';
/** The type that the helper mounts with. */
export const FILESYSTEM = 'fuse.aetherflow';

/** All mounted maps, in the order they were mounted; empty on systems without the table. */
export function mountRows(): MountRow[] {
  let text: string;
  try {
    text = fs.readFileSync(TABLE, 'utf8');
  } catch {
    return [];
  }
  return parseMounts(text);
}

/** The rows of maps in text of the form of `/proc/PID/mountinfo`. */
export function parseMounts(text: string): MountRow[] {
  const rows: MountRow[] = [];
  for (const line of text.split('\n')) {
    // ... mount point, options, any number of optional fields, "-", type, source, more options.
    const [before, after] = line.split(' - ', 2);
    const mountPoint = before?.split(' ')[4];
    const [type, source, superOptions = ''] = after?.split(' ') ?? [];
    if (type !== FILESYSTEM || mountPoint === undefined || source === undefined) continue;
    const options = `${before?.split(' ')[5] ?? ''},${superOptions}`.split(',');
    rows.push({
      map: unescape(source),
      mountPoint: unescape(mountPoint),
      readOnly: options.includes('ro'),
    });
  }
  return rows;
}

/** The kernel writes blanks, tabs, line breaks and backslashes as octal numbers. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/gu, (_, digits: string) =>
    String.fromCharCode(parseInt(digits, 8)),
  );
}

/** Where the map at `map` (absolute, links resolved) is mounted: the last place, if any. */
export function mountPointOf(map: string): string | undefined {
  return mountRows().findLast((row) => row.map === map)?.mountPoint;
}

/**
 * The absolute path that `given` means, links resolved up to the last name: looking at the last
 * name itself would ask a helper that may be gone.
 */
export function placeOf(given: string): string {
  const absolute = path.resolve(given);
  try {
    return path.join(fs.realpathSync(path.dirname(absolute)), path.basename(absolute));
  } catch {
    return absolute;
  }
}

/** The mount that `given` means: a directory that a map is mounted at, or a map that is mounted. */
export function findMount(given: string): MountRow | undefined {
  const rows = mountRows();
  const place = placeOf(given);
  const here = rows.findLast((row) => row.mountPoint === place || row.map === place);
  if (here !== undefined) return here;
  // A link to a map or to a mount point; only now, when the path itself is no mount point.
  let real: string;
  try {
    real = fs.realpathSync(place);
  } catch {
    return undefined;
  }
  return rows.findLast((row) => row.mountPoint === real || row.map === real);
}
