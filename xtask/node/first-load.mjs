// Weighs what a browser fetches of the built page before a map is open: the page, its styles and
// pictures, scripts with what they import, the worker's, and the wasm module, each gzipped. What the
// page's own script imports on demand is counted too, since the page fetches it while it is read.
// Left out is what comes later or never: what the worker imports on demand, what a service worker
// puts away for offline use, the example. A test compares this with what a browser really asks for.
//
// node first-load.mjs FOLDER LIMIT
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

/** Names, relative to the folder, of what a first visit fetches; in the order it is found. */
export function firstLoad(folder) {
  const text = (name) => readFileSync(path.join(folder, name), 'utf8');
  const found = new Set(['index.html']);
  const add = (name, from) => {
    // What a script names lies beside it, or, where it becomes an address of the page, at the top.
    for (const base of [path.posix.dirname(from), '.']) {
      const inside = path.posix.join(base, name);
      if (existsSync(path.join(folder, inside))) return found.add(inside);
    }
    return found;
  };
  const [entry] = [
    ...text('index.html').matchAll(/<script type="module"[^>]*\bsrc="\.\/([^"]+)"/g),
  ].map(([, name]) => name);
  for (const [tag] of text('index.html').matchAll(/<(?:script|link|img)\b[^>]*>/g)) {
    const target = /\b(?:src|href)="([^"]+)"/.exec(tag)?.[1];
    if (target !== undefined && !target.includes('://')) add(target, 'index.html');
  }
  // A set grows while it is walked.
  for (const name of found) {
    if (name.endsWith('.webmanifest')) {
      // Browsers look at one of the icons, to offer installing the page.
      const { icons } = JSON.parse(text(name));
      if (icons?.length > 0) add(icons[0].src, name);
    } else if (name.endsWith('.css')) {
      for (const [, target] of text(name).matchAll(/url\(["']?([^"')]+)["']?\)/g))
        add(target, name);
    } else if (name.endsWith('.js')) {
      for (const pattern of name === entry ? [...AT_ONCE, ...ON_DEMAND] : AT_ONCE) {
        for (const [, target] of text(name).matchAll(pattern)) add(target.replace(/^\//, ''), name);
      }
    }
  }
  return [...found];
}

/** How built scripts name what they fetch: imports, and workers, modules and pictures by address. */
const AT_ONCE = [
  /\b(?:import|export)\s*(?:[\w*{}$,\s]*?\bfrom\s*)?["'`](\.[^"'`]+\.js)["'`]/g,
  /\bnew (?:URL|Worker)\(\s*(?:new URL\()?\s*["'`]([^"'`]+\.(?:js|wasm))["'`]/g,
  /["'`](\.\/[\w./-]+\.(?:svg|webp|jpg))["'`]/g,
];
const ON_DEMAND = [
  /\bimport\(\s*["'`](\.[^"'`]+\.js)["'`]/g,
  /["'`](\.\/(?:assets\/)?[\w.-]+\.(?:js|css))["'`]/g,
];

export function weigh(folder) {
  return firstLoad(folder).map((name) => {
    const bytes = readFileSync(path.join(folder, name));
    return { name, bytes: bytes.length, gzipped: gzipSync(bytes, { level: 9 }).length };
  });
}

if (process.argv[1] === import.meta.filename) {
  const [folder, limit] = process.argv.slice(2);
  const parts = weigh(folder);
  const number = (count) => String(count).padStart(9);
  for (const { name, bytes, gzipped } of parts) {
    console.log(`    ${number(bytes)} ${number(gzipped)}  ${name}`);
  }
  const sum = parts.reduce((total, part) => total + part.gzipped, 0);
  const verdict = sum <= limit ? `${limit - sum} to spare` : `${sum - limit} too many`;
  console.log(`    first visit: ${sum} bytes gzipped, limit ${limit}: ${verdict}`);
  const missing = ['.wasm', '.css', '.js'].filter(
    (end) => !parts.some(({ name }) => name.endsWith(end)),
  );
  if (missing.length > 0)
    console.error(`    nothing was found that ends with ${missing.join(', ')}`);
  process.exit(sum <= limit && missing.length === 0 ? 0 : 1);
}
