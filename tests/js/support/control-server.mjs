// A process that holds a map open and takes commands on a control socket, as the native helper
// does, but mounts nothing: `node control-server.mjs MAP SOCKET MOUNTPOINT`. Prints "ready".
import * as net from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { openMap } from 'aetherflow';

const [file, socket, mountPoint] = process.argv.slice(2);
const map = openMap(file, { program: 'aetherflow-fuse', socket, syncInterval: 0 });
const since = new Date().toISOString();
let budget = 1 << 26;
const running = new Set();

const methods = {
  info: () => map.info(),
  stats: () => ({ ...map.stats(), mount: { requests: 7, byKind: { lookupReplies: 3 } } }),
  zones: () => map.zones(),
  settings: () => map.settings(),
  statfs: () => map.statfs(),
  sync: () => (map.sync(), {}),
  checkpoint: () => (map.checkpoint(), {}),
  'snapshot.create': ({ name, note }) => map.snapshot.create(name, note),
  'snapshot.list': () => map.snapshot.list(),
  'snapshot.restore': ({ name }) => map.snapshot.restore(name),
  'snapshot.delete': ({ name }) => (map.snapshot.delete(name), {}),
  compress: (params, onProgress) => map.compress({ ...params, onProgress }),
  verify: (params, onProgress) => map.verify({ ...params, onProgress }),
  config: (change) => (map.configure(change), map.settings()),
  cache: ({ drop, budget: wanted }) => {
    budget = wanted ?? budget;
    const bytes = drop === true ? 0 : 4096;
    const figures = { hits: 3, misses: 1, evictions: 0, bytes, budget };
    return { budget, caches: [{ name: 'pages', ...figures }] };
  },
  status: () => ({ map: map.path, mountPoint, pid: process.pid, since, state: 'read-write' }),
  unmount: () => {
    setTimeout(() => {
      map.close();
      process.exit(0);
    }, 50);
    return {};
  },
  // For tests of the client alone.
  slow: async (_, onProgress, id) => {
    running.add(id);
    for (let done = 0; done < 500 && running.has(id); done += 1) {
      onProgress(done, 500);
      await sleep(10);
    }
    if (!running.delete(id)) throw Object.assign(new Error('cancelled'), { code: 'ECANCELED' });
    return { slow: true };
  },
  hello: ({ text }) => ({ text }),
  die: () => process.kill(process.pid, 'SIGKILL'),
};

async function answer(connection, line) {
  const send = (value) => connection.write(`${JSON.stringify(value)}\n`);
  const { id, method, params = {} } = JSON.parse(line);
  if (method === 'cancel') {
    running.delete(params.id);
    return;
  }
  try {
    if (!Object.hasOwn(methods, method)) {
      throw Object.assign(new Error(`no method ${method}`), { code: 'ENOSYS', errno: -38 });
    }
    const progress = (done, total) => void send({ id, progress: { done, total } });
    send({ id, result: await methods[method](params, progress, id) });
  } catch (error) {
    const { code = 'EIO', errno = -5, message } = error;
    send({ id, error: { code, errno: -errno, message: message.replace(/^[A-Z]+: /, '') } });
  }
}

const server = net.createServer((connection) => {
  const greeting = {
    aetherflow: '0.1.0',
    protocol: 1,
    map: map.path,
    mountPoint,
    pid: process.pid,
  };
  connection.on('error', () => undefined);
  connection.write(`${JSON.stringify(greeting)}\n`);
  createInterface(connection).on('line', (line) => void answer(connection, line));
});
server.listen(socket, () => console.log('ready'));
