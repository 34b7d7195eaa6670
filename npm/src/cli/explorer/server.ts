/**
 * The explorer over HTTP: the built page, and one map beside it.
 *
 * Rules: only these are served, and only read. A name that is not the server's own is refused, so
 * that no page elsewhere can reach the map through a name it has turned to this address; other
 * origins get no permission to read anything. Nothing is kept by the browser: the port may belong
 * to another program tomorrow.
 */
import * as fs from 'node:fs';
import * as http from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import * as path from 'node:path';
import type { Readable } from 'node:stream';

import send from 'send';

export interface Site {
  /** The folder of the built page. */
  readonly page: string;
  /** The map, symbolic links resolved. */
  readonly map: string;
  /** The name it is served under. */
  readonly name: string;
  /** The name or address to listen at. */
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
}

export interface Serving {
  /** The page, with the map open. */
  readonly url: string;
  readonly mapUrl: string;
  readonly port: number;
  /** Whether only this machine can reach it. */
  readonly local: boolean;
  /** Takes no more requests, lets those under way end, and lets go of the port. */
  stop(): Promise<void>;
}

/** As the page's own, and what only a header can say. */
const POLICY = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "media-src 'self' data: blob:",
  "frame-src 'self' blob:",
  "worker-src 'self' blob:",
  "connect-src 'self' http: https: data: blob:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'self'",
].join('; ');

/**
 * What is given for the page's service worker: one that replaces any other and takes itself away.
 * Offline use is for servers that stay.
 */
const NO_SERVICE_WORKER = `addEventListener('install', () => skipWaiting());
addEventListener('activate', () => registration.unregister());
`;

/** How long requests under way may take once the server is told to stop, in ms. */
const PATIENCE = 1000;

/** Serves a site until it is stopped; rejects with the error of `listen`. */
export async function serve(site: Site): Promise<Serving> {
  const server = http.createServer((request, response) => {
    answer(site, request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(site.port, site.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { address, port } = server.address() as AddressInfo;
  const origin = `http://${shownHost(site.host)}:${port}`;
  const place = `/map/${encodeURIComponent(site.name)}`;
  // Encoded once as an address, and once more as a field of the hash, where slashes may stay.
  const field = encodeURIComponent(place).replace(/%2F/gu, '/');
  return {
    url: `${origin}/#url=${field}`,
    mapUrl: `${origin}${place}`,
    port,
    local: isLoopback(address),
    stop: () => stop(server),
  };
}

async function stop(server: http.Server): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  const impatient = setTimeout(() => {
    server.closeAllConnections();
  }, PATIENCE);
  await closed;
  clearTimeout(impatient);
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(?:::ffff:)?127\./u.test(address);
}

/** A host as it stands in an address that this machine can open. */
function shownHost(host: string): string {
  if (host === '0.0.0.0' || host === '::' || host === '') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}

/** Whether a Host header is a name nobody else can have turned to this address: or an address. */
function isOwnName(header: string | undefined, host: string): boolean {
  const name = (header ?? '').replace(/:\d*$/u, '').toLowerCase();
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  return name === shownHost(host).toLowerCase() || isIP(name.replace(/^\[|\]$/gu, '')) !== 0;
}

function answer(site: Site, request: http.IncomingMessage, response: http.ServerResponse): void {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Referrer-Policy', 'no-referrer');
  response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
  response.setHeader('Cache-Control', 'no-cache');
  if (!isOwnName(request.headers.host, site.host)) {
    refuse(response, 403, 'This server answers to its own name and to addresses only.');
    return;
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    refuse(response, 405, 'Nothing can be changed here.');
    return;
  }
  if (request.headers['service-worker'] === 'script') {
    response.setHeader('Content-Type', 'text/javascript; charset=utf-8');
    response.end(NO_SERVICE_WORKER);
    return;
  }
  const wanted = (request.url ?? '/').split(/[?#]/u, 1)[0] ?? '/';
  if (decoded(wanted) === `/map/${site.name}`) sendMap(site, request, response);
  else sendPage(site, wanted, request, response);
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function sendMap(site: Site, request: http.IncomingMessage, response: http.ServerResponse): void {
  response.setHeader('Content-Type', 'image/png');
  // Finer than whole seconds: somebody may be writing to the map.
  const tag = versionTag(site.map);
  if (tag !== undefined) response.setHeader('ETag', tag);
  const file = encodeURIComponent(path.basename(site.map));
  const root = path.dirname(site.map);
  const bytes = send(request, file, { root, dotfiles: 'allow', index: false, cacheControl: false });
  bytes.on('stream', (source: Readable) => {
    source.once('end', () => {
      // Bytes of two states would be taken for damage: better none than these.
      if (versionTag(site.map) !== tag) response.destroy();
    });
  });
  transfer(bytes, response);
}

function versionTag(file: string): string | undefined {
  const stats = fs.statSync(file, { bigint: true, throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  return `"${[stats.ino, stats.size, stats.mtimeNs].map((part) => part.toString(36)).join('-')}"`;
}

function sendPage(
  site: Site,
  wanted: string,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): void {
  response.setHeader('Content-Security-Policy', POLICY);
  response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
  transfer(send(request, wanted, { root: site.page, cacheControl: false }), response);
}

function transfer(stream: send.SendStream, response: http.ServerResponse): void {
  stream.on('error', (error: Error & { status?: number }) => {
    if (response.headersSent) {
      // Half of it is out: an end that is too early is seen, another answer would be taken for bytes.
      response.destroy();
      return;
    }
    const status = error.status ?? 500;
    refuse(response, status, http.STATUS_CODES[status] ?? 'This did not work.');
  });
  stream.on('directory', () => {
    refuse(response, 404, 'Not Found');
  });
  stream.pipe(response);
}

function refuse(response: http.ServerResponse, status: number, sentence: string): void {
  for (const name of ['ETag', 'Last-Modified', 'Content-Length']) response.removeHeader(name);
  response.statusCode = status;
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end(`${sentence}\n`);
}
