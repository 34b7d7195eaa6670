/** Reaching the process behind a mount, and telling whether there still is one. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { lockHolder } from '../lock.js';
import { ControlClient } from './control.js';
import type { MountRow } from './table.js';

/** Milliseconds a mount point may take to answer. */
const PATIENCE = 2000;

/** What became of the attempt to reach the process behind a mount. */
export type Contact =
  | { readonly kind: 'connected'; readonly client: ControlClient }
  /** There is a process, but it takes no commands from us. */
  | { readonly kind: 'silent'; readonly pid: number | null; readonly why: string }
  /** The process is gone; what is mounted answers ENOTCONN. */
  | { readonly kind: 'dead' };

/** Connects to the process that serves `row`. */
export async function contact(row: MountRow): Promise<Contact> {
  const holder = holderOf(row.map);
  let why = 'it has no control socket';
  for (const socket of [holder?.socket ?? undefined, ...controlSockets()]) {
    if (socket === undefined) continue;
    try {
      const client = await ControlClient.connect(socket, { timeout: PATIENCE });
      const { map, mountPoint } = client.greeting;
      if (map === row.map && mountPoint === row.mountPoint) return { kind: 'connected', client };
      client.close();
    } catch (error) {
      if (socket === holder?.socket) why = sentenceOf(error);
    }
  }
  if (holder !== undefined) return { kind: 'silent', pid: holder.pid, why };
  // Read-only mounts of others hold no lock: only the mount point itself can tell.
  return (await isDead(row.mountPoint)) ? { kind: 'dead' } : { kind: 'silent', pid: null, why };
}

function holderOf(map: string): ReturnType<typeof lockHolder> {
  try {
    return lockHolder(map);
  } catch {
    // The folder of the map is closed to us, or gone.
    return undefined;
  }
}

/** What failed, as a sentence without code and decoration. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message.replace(/^[A-Z]+: /u, '').replace(/(?:, [a-z]+)?(?: '.*')?$/u, '');
}

/** True when nobody serves the mount point. One that does not answer in time is not dead. */
async function isDead(mountPoint: string): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, PATIENCE, false);
  });
  const asked = fs.promises.statfs(mountPoint).then(
    () => false,
    (error: unknown) => {
      const { code } = error as NodeJS.ErrnoException;
      return code === 'ENOTCONN' || code === 'ECONNABORTED';
    },
  );
  try {
    return await Promise.race([asked, patience]);
  } finally {
    clearTimeout(timer);
  }
}

/** Folders in which helpers of this user, and of root, have their sockets. */
function controlFolders(): string[] {
  const runtime = process.env['XDG_RUNTIME_DIR'];
  const user = process.getuid?.();
  return [
    ...(runtime === undefined || runtime === '' ? [] : [path.join(runtime, 'aetherflow')]),
    '/run/aetherflow',
    ...(user === undefined ? [] : [`/tmp/aetherflow-${user}`]),
  ];
}

/** All control sockets that can be found; folders that somebody else owns are left alone. */
function controlSockets(): string[] {
  const trusted = [0, process.getuid?.() ?? 0];
  return controlFolders().flatMap((folder) => {
    try {
      const stats = fs.lstatSync(folder);
      if (!stats.isDirectory() || !trusted.includes(stats.uid)) return [];
      const names = fs.readdirSync(folder).filter((name) => name.endsWith('.sock'));
      return names.map((name) => path.join(folder, name));
    } catch {
      return [];
    }
  });
}
