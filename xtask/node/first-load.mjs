// Weighs what a browser fetches of the built page before a map is open: the page, its styles and
// icons, scripts with what they import at once, the worker's, and the wasm module, each gzipped.
// Left out is what comes later or never: scripts imported on demand, what a service worker puts
// away for offline use, the example.
//
// node first-load.mjs FOLDER LIMIT [--json]
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

/** Names, relative to the folder, of what a first visit fetches; in the order it is found. */
export function firstLoad(folder) {
  const found = new Set(['index.html']);
  const html = readFileSync(path.join(folder, 'index.html'), 'utf8');
  for (const [tag] of html.matchAll(/<(?:script|link)\b[^>]*>/g)) {
    const target = /\b(?:src|href)="([^"]+)"/.exec(tag)?.[1];
    if (target !== undefined && !target.includes('://')) found.add(path.posix.normalize(target));
  }
  // A set grows while it is walked.
  for (const name of found) {
    if (!name.endsWith('.js')) continue;
    for (const reference of references(readFileSync(path.join(folder, name), 'utf8'))) {
      for (const base of [path.posix.dirname(name), '.']) {
        const inside = path.posix.join(base, reference);
        if (existsSync(path.join(folder, inside))) {
          found.add(inside);
          break;
        }
      }
    }
  }
  return [...found];
}

/** Scripts imported at once, and the workers and modules a script asks for by URL. */
function* references(script) {
  for (const [, name] of script.matchAll(
    /\b(?:import|export)\s*(?:[\w*{}$,\s]*?\bfrom\s*)?["'`](\.[^"'`]+\.js)["'`]/g,
  )) {
    yield name;
  }
  for (const [, name] of script.matchAll(
    /\bnew (?:URL|Worker)\(\s*(?:new URL\()?\s*["'`]([^"'`]+\.(?:js|wasm))["'`]/g,
  )) {
    yield name.replace(/^\//, '');
  }
}

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
