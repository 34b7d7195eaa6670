// Starts the control server of a map for a test, and ends it with the test.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';

const SERVER = fileURLToPath(new URL('control-server.mjs', import.meta.url));

/** Serves `map`; gives the process and the path of its socket. */
export async function serve(test, map, mountPoint) {
  const socket = path.join(path.dirname(map), 'control.sock');
  const child = spawn(process.execPath, [SERVER, map, socket, mountPoint], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  test.after(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended;
  });
  await Promise.race([once(child.stdout, 'data'), ended]);
  return { child, socket, ended };
}
