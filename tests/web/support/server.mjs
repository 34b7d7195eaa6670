// A plain static server, as anybody would put the page and maps on one: no special headers. It
// counts what it sends, and can be made to misbehave as real ones do.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

// The package that serves is a tool of the explorer's.
import sirv from 'sirv';

export const PAGE = fileURLToPath(new URL('../../../web-demo/dist', import.meta.url));

/** What was asked for of one path. */
class Traffic {
  requests = 0;
  /** Answered in part (206). */
  ranges = 0;
  /** Bytes of bodies, as they left. */
  bytes = 0;
}

/**
 * Serves folders, by the path they appear under, until the test ends.
 *
 * @param folders for example { '/': PAGE, '/maps/': folder }
 * @param options.ranges false: ranges are ignored, everything is sent whole
 * @param options.anyOrigin true: pages from elsewhere may read
 * @param options.before a look at each request first; it answers when it returns true
 */
export async function serve(folders, options = {}) {
  const traffic = new Map();
  const roots = Object.entries(folders)
    .sort(([a], [b]) => b.length - a.length)
    .map(([path, folder]) => [path, sirv(folder, { dev: true, etag: true, dotfiles: false })]);
  const server = createServer((request, response) => {
    const path = new URL(request.url, 'http://localhost').pathname;
    count(traffic, path, response);
    if (options.anyOrigin) {
      response.setHeader('Access-Control-Allow-Origin', '*');
      response.setHeader('Access-Control-Allow-Headers', 'Range');
      response.setHeader('Access-Control-Expose-Headers', 'Content-Range, Content-Length, ETag');
      if (request.method === 'OPTIONS') return response.writeHead(204).end();
    }
    if (options.ranges === false) delete request.headers.range;
    if (options.before?.(request, response) === true) return undefined;
    const missing = () => response.writeHead(404, { 'Content-Type': 'text/plain' }).end('not here');
    const found = roots.find(([root]) => path.startsWith(root));
    if (found === undefined) return missing();
    request.url = `/${request.url.slice(found[0].length)}`;
    return found[1](request, response, missing);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://localhost:${server.address().port}`,
    /** What was sent of one path, or of everything. */
    traffic(path) {
      if (path !== undefined) return traffic.get(path) ?? new Traffic();
      const all = new Traffic();
      for (const one of traffic.values()) {
        for (const key of Object.keys(all)) all[key] += one[key];
      }
      return all;
    },
    paths: () => [...traffic.keys()],
    forget: () => traffic.clear(),
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function count(traffic, path, response) {
  const entry = traffic.get(path) ?? new Traffic();
  traffic.set(path, entry);
  entry.requests += 1;
  const { write, end } = response;
  const add = (chunk) => {
    if (typeof chunk === 'string' || chunk instanceof Uint8Array) {
      entry.bytes += Buffer.byteLength(chunk);
    }
  };
  response.write = (chunk, ...rest) => {
    add(chunk);
    return write.call(response, chunk, ...rest);
  };
  response.end = (chunk, ...rest) => {
    add(chunk);
    if (response.statusCode === 206) entry.ranges += 1;
    return end.call(response, chunk, ...rest);
  };
}
