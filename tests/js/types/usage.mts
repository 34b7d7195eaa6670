/** Compiled, never run: what users write must have the types that `node:fs` gives it. */

import type * as nodeFs from 'node:fs';
import git from 'isomorphic-git';
import {
  AetherFlowError,
  ControlClient,
  listMounts,
  Map,
  mountMap,
  openMap,
  unmountMap,
  type Extent,
  type MapFs,
  type MountedMap,
  type MountInfo,
} from 'aetherflow';

using map = openMap('map.rts.png', { mode: 'a', label: 'typed' });
const { fs } = map;

export const bytes: Buffer = fs.readFileSync('/a');
export const text: string = fs.readFileSync('/a', 'utf8');
export const size: number = fs.statSync('/a').size;
export const exact: bigint = fs.statSync('/a', { bigint: true }).mtimeNs;
export const maybe: nodeFs.Stats | undefined = fs.statSync('/a', { throwIfNoEntry: false });
export const names: string[] = fs.readdirSync('/');
export const entries: nodeFs.Dirent[] = fs.readdirSync('/', { withFileTypes: true });
export const promised: Promise<string> = fs.promises.readFile('/a', 'utf8');
export const handle: nodeFs.promises.FileHandle = await fs.promises.open('/a');
export const stream: nodeFs.ReadStream = fs.createReadStream('/a');
fs.readFile('/a', 'utf8', (error: NodeJS.ErrnoException | null, data: string) => {
  console.log(error?.code, data.length);
});
fs.realpath.native('/a', (_error, path: string) => {
  console.log(path);
});

export const extents: Extent[] = map.locate('/a');
export const note: string | undefined = map.snapshot.list()[0]?.note;
export const old: Map = map.snapshot.open('old');

await git.init({ fs, dir: '/' });

function useAsNode(api: Pick<typeof nodeFs, 'readFileSync' | 'writeFileSync' | 'promises'>): void {
  api.writeFileSync('/a', 'b');
}
export const subset: Pick<MapFs, 'readFileSync' | 'writeFileSync'> = fs;
export { useAsNode };

try {
  map.sync();
} catch (error) {
  if (error instanceof AetherFlowError) console.log(error.code, error.reason, error.cluster);
}

// @ts-expect-error the mode is one of a few words
openMap('x', { mode: 'rw' });
// @ts-expect-error no such setting
map.configure({ colour: 'red' });

const mounted: MountedMap = await mountMap('x', '/mnt/x', { readOnly: true, options: ['uid=1000'] });
const states: MountInfo['state'][] = (await listMounts()).map(({ state }) => state);
const control = await ControlClient.connect(mounted.socket ?? '', { timeout: 100 });
await control.call('verify', { deep: true }, { onProgress: (done, total) => done < total });
export const gone: Promise<{ map: string; mountPoint: string; wasDead: boolean }> = unmountMap('x');
export { states };
// @ts-expect-error a number of bytes
await mountMap('x', '/mnt/x', { cacheSize: '64M' });
