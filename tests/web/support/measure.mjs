// What a page costs: memory of page and worker, the time between frames.
import { readFileSync } from 'node:fs';

/**
 * Watches memory from now on: script heaps, buffers and wasm memory of the page and its workers, and
 * what the process has resident.
 *
 * @returns a function that ends it and tells the peaks, in bytes
 */
export async function watchMemory(page) {
  const session = await page.context().newCDPSession(page);
  const waiting = new Map();
  const workers = new Set();
  let last = 0;
  session.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { id, result } = JSON.parse(message);
    waiting.get(id)?.(result);
    waiting.delete(id);
  });
  session.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => {
    if (targetInfo.type === 'worker') workers.add(sessionId);
  });
  session.on('Target.detachedFromTarget', ({ sessionId }) => workers.delete(sessionId));
  await session.send('Target.setAutoAttach', {
    autoAttach: true,
    waitForDebuggerOnStart: false,
    flatten: false,
  });
  const ask = (sessionId) =>
    new Promise((resolve) => {
      const id = ++last;
      // A worker that is busy answers late, one that has ended never.
      const timer = setTimeout(() => resolve(undefined), 3000);
      waiting.set(id, (result) => {
        clearTimeout(timer);
        resolve(result);
      });
      const message = JSON.stringify({ id, method: 'Runtime.getHeapUsage' });
      session.send('Target.sendMessageToTarget', { sessionId, message }).catch(() => {});
    });
  const pid = await renderer(page);
  let ended = false;
  const peaks = { heap: 0, resident: 0 };
  const known = new Map();
  const watching = (async () => {
    while (!ended) {
      const parts = [['page', session.send('Runtime.getHeapUsage')]];
      for (const worker of workers) parts.push([worker, ask(worker)]);
      for (const [name, reply] of parts) {
        const usage = await reply;
        if (usage) known.set(name, usage.usedSize + usage.backingStorageSize);
      }
      const sum = [...known.values()].reduce((total, bytes) => total + bytes, 0);
      peaks.heap = Math.max(peaks.heap, sum);
      peaks.resident = Math.max(peaks.resident, resident(pid));
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
  })();
  return async () => {
    ended = true;
    await watching;
    await session.detach();
    return peaks;
  };
}

/** The process that shows the page: the one whose processor time grows while the page is kept busy. */
async function renderer(page) {
  const browser = await page.context().browser().newBrowserCDPSession();
  const times = async () => {
    const { processInfo } = await browser.send('SystemInfo.getProcessInfo');
    return new Map(
      processInfo.filter(({ type }) => type === 'renderer').map(({ id, cpuTime }) => [id, cpuTime]),
    );
  };
  const before = await times();
  await page.evaluate(() => {
    const end = performance.now() + 300;
    while (performance.now() < end);
  });
  const after = await times();
  await browser.detach();
  const grown = [...after].map(([id, time]) => [time - (before.get(id) ?? 0), id]);
  return grown.sort(([a], [b]) => b - a)[0]?.[1];
}

/** Resident bytes of a process, where the system tells (Linux). */
function resident(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Times between frames while something is done, in milliseconds. */
async function frames(page, action) {
  await page.evaluate(() => {
    window.frameTimes = [];
    let before = performance.now();
    const next = (now) => {
      window.frameTimes.push(now - before);
      before = now;
      window.frameRequest = requestAnimationFrame(next);
    };
    window.frameRequest = requestAnimationFrame((now) => {
      before = now;
      window.frameRequest = requestAnimationFrame(next);
    });
  });
  await action();
  const times = await page.evaluate(() => {
    cancelAnimationFrame(window.frameRequest);
    return window.frameTimes;
  });
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return { count: times.length, median: at(0.5), p95: at(0.95), longest: times.at(-1) ?? 0 };
}

export const framesInWords = ({ count, median, p95, longest }) =>
  `${count} frames, median ${median.toFixed(1)} ms, 95 % within ${p95.toFixed(1)} ms, longest ${longest.toFixed(0)} ms`;

/**
 * Opens a map file from the start page.
 *
 * @returns milliseconds until the first tile is there, and until all tiles in sight are
 */
export async function timeOpening(page, file) {
  await page.evaluate(() => {
    const input = document.getElementById('start-map');
    const begin = () => {
      const start = performance.now();
      const look = () => {
        if (document.querySelector('.leaflet-tile-loaded')) {
          window.openTime ??= performance.now() - start;
        }
        if (
          window.openTime !== undefined &&
          !document.querySelector('canvas.plane-tile:not(.leaflet-tile-loaded)')
        ) {
          window.fullTime = performance.now() - start;
        } else {
          requestAnimationFrame(look);
        }
      };
      requestAnimationFrame(look);
    };
    input.addEventListener('change', begin, { capture: true, once: true });
  });
  await page.locator('#start-map').setInputFiles(file);
  await page.waitForFunction(() => window.fullTime !== undefined, null, { timeout: 60_000 });
  const [first, full] = await page.evaluate(() => [window.openTime, window.fullTime]);
  return { first, full };
}

/**
 * Waits until the legend counts the whole map, for which all of the table must have been read.
 *
 * @returns milliseconds that took; up to half a second of it is the legend's own pause
 */
export async function timeTable(page, explorer) {
  const start = performance.now();
  await explorer.openLegend();
  await page.locator('.plane-swatches li').first().waitFor();
  const note = page.getByText('Only what has been read so far is counted.');
  await note.waitFor({ state: 'detached', timeout: 120_000 });
  return performance.now() - start;
}

/** Times between frames while the plane is zoomed into and out of, and dragged about. */
export async function timeMoving(page, plane) {
  const box = await plane.boundingBox();
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  await page.mouse.move(middle.x, middle.y);
  const zooming = await frames(page, async () => {
    for (let step = 0; step < 30; step += 1) {
      await page.mouse.wheel(0, step < 20 ? -120 : 120);
      await page.waitForTimeout(50);
    }
  });
  const panning = await frames(page, async () => {
    for (let stroke = 0; stroke < 4; stroke += 1) {
      const sign = stroke % 2 === 0 ? 1 : -1;
      await page.mouse.move(middle.x, middle.y);
      await page.mouse.down();
      for (let step = 0; step < 30; step += 1) {
        await page.mouse.move(middle.x + sign * step * 9, middle.y + sign * step * 5);
        await page.waitForTimeout(10);
      }
      await page.mouse.up();
      await page.waitForTimeout(200);
    }
  });
  return { zooming, panning };
}

export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;
