// The engine's worker by itself, as the page speaks with it: for what no button can be pressed fast
// enough to show.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

import { visit } from './visit.mjs';
import { PAGE } from './server.mjs';

const BLANK = '/blank';

/** The path of the worker's script on the page. */
function workerScript() {
  const folder = path.join(PAGE, 'assets');
  const isWorker = (name) =>
    /^main-.*\.js$/.test(name) &&
    readFileSync(path.join(folder, name), 'utf8').includes('aetherflow-temporary');
  return `/assets/${readdirSync(folder).find(isWorker)}`;
}

/**
 * A test on an empty page with a worker of the engine. In the page there are:
 * `start()` and `end()`, a worker's life; `call(name, ...)`, what it is asked for; `problem(promise)`, the
 * reason of its failure; `feed(batches)` and `noise(bytes)`; `events`, what it told of.
 */
export function engineVisit(name, options, body) {
  const server = {
    before(request, response) {
      if (options.before?.(request, response) === true) return true;
      if (request.url !== BLANK) return false;
      response.setHeader('Content-Type', 'text/html');
      response.end('<!doctype html><title>engine</title><link rel="icon" href="data:,">');
      return true;
    },
  };
  visit(name, { ...options, server, start: false }, async (given) => {
    const { page, context, server: served } = given;
    await page.goto(served.origin + BLANK);
    await page.evaluate(prepare, workerScript());
    const devtools = await context.newCDPSession(page);
    /** Leaves so many bytes more than are used now; undefined gives back the usual room. */
    const room = async (bytes) => {
      const usage = await page.evaluate(async () => (await navigator.storage.estimate()).usage);
      const quotaSize = bytes === undefined ? {} : { quotaSize: usage + bytes };
      await devtools.send('Storage.overrideQuotaForOrigin', {
        origin: served.origin,
        ...quotaSize,
      });
    };
    try {
      await page.evaluate(() => start());
      await body({ ...given, room });
    } finally {
      await room(undefined);
      await devtools.detach();
    }
  });
}

/** Runs in the page: the other end of the worker's line. */
function prepare(script) {
  const page = globalThis;
  page.events = [];
  page.sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  page.proxy = (target) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = async ({ data: { id, type, path: names, argumentList = [] } }) => {
      if (type === 'RELEASE') return;
      const called = names.reduce((at, key) => at[key], target);
      const value = await called.apply(
        target,
        argumentList.map((one) => one.value),
      );
      port1.postMessage({ id, type: 'RAW', value });
    };
    return { line: port2 };
  };
  page.start = async () => {
    const waiting = new Map();
    page.worker = new Worker(script, { type: 'module' });
    page.worker.onmessage = ({ data: { id, type, name, value } }) => {
      const [resolve, reject] = waiting.get(id) ?? [];
      waiting.delete(id);
      if (type === 'HANDLER' && name === 'throw') reject?.(value.value ?? value);
      else resolve?.(value);
    };
    page.call = (name, ...given) =>
      new Promise((resolve, reject) => {
        const id = crypto.randomUUID();
        waiting.set(id, [resolve, reject]);
        const lines = given.flatMap((one) => (one?.line ? [one.line] : []));
        const argumentList = given.map((one) =>
          one?.line
            ? { type: 'HANDLER', name: 'proxy', value: one.line }
            : { type: 'RAW', value: one },
        );
        page.worker.postMessage({ id, type: 'APPLY', path: [name], argumentList }, lines);
      });
    void page.call(
      'listen',
      page.proxy((event) => void page.events.push(event)),
    );
    await page.call('start');
  };
  /** The end of a tab: nothing is told, nothing finished. */
  page.end = async () => {
    page.worker.terminate();
    await page.sleep(200);
  };
  page.problem = (promise) =>
    promise.then(
      () => 'none',
      (failed) => failed.reason ?? String(failed.message ?? failed),
    );
  page.noise = (bytes) => {
    const made = new Uint8Array(bytes);
    for (let at = 0; at < bytes; at += 65536) {
      crypto.getRandomValues(made.subarray(at, Math.min(bytes, at + 65536)));
    }
    return made;
  };
  page.feed = (files) => page.proxy({ next: () => files.splice(0, 50) });
  page.text = async (path) => new TextDecoder().decode(await page.call('read', path, 0, 1 << 20));
  page.names = async (path) => (await page.call('list', path)).map((entry) => entry.name);
}
