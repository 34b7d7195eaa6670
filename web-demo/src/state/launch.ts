/** Maps that the system hands to the installed page. */
import { mayClose } from './leaving';
import { engineState, openSource } from './map';
import { complain } from './notices';

interface LaunchQueue {
  setConsumer(consumer: (parameters: { files?: readonly FileSystemFileHandle[] }) => void): void;
}

/** To be called once the engine can open something. */
export function takeLaunch(): void {
  if (engineState.value !== 'ready') return;
  const queue = (window as { launchQueue?: LaunchQueue }).launchQueue;
  queue?.setConsumer(({ files }) => {
    const [handle] = files ?? [];
    if (handle !== undefined) open(handle).catch(complain);
  });
}

async function open(handle: FileSystemFileHandle): Promise<void> {
  if (!(await mayClose())) return;
  await openSource({ kind: 'file', file: await handle.getFile() });
}
