// Builds the example map: this project as a map, through two snapshots.
// The same sources give the same bytes: the clock stands where this says, random numbers are fixed.
//
// node example.mjs EMPTY_FOLDER MAP
import { copyFileSync, mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { clock } from './fixed.mjs';

const { openMap } = await import('aetherflow');
const root = fileURLToPath(new URL('../../', import.meta.url));
const [folder, result] = process.argv.slice(2);
const file = path.join(folder, 'example.rts.png');
const DAY = 86_400_000;
clock.now = Date.UTC(2026, 9, 5, 9);

// Nothing is compressed, so that the layer of raw pixels shows what text and pictures look like.
const map = openMap(file, { mode: 'w+', compression: 'off' });

/** Writes a file and the folders above it, some minutes after the last one. */
function write(name, bytes) {
  clock.now += 7 * 60_000;
  map.fs.mkdirSync(path.posix.dirname(name), { recursive: true });
  map.fs.writeFileSync(name, bytes);
  map.fs.chmodSync(name, 0o644);
}

/** Copies a file or a folder of the project. */
function copy(from, to) {
  const source = path.join(root, from);
  if (statSync(source).isDirectory()) {
    for (const name of readdirSync(source).sort()) {
      if (!/^(node_modules|dist|corpus|target|explorer-.*|example\.rts.*)$/.test(name)) {
        copy(`${from}/${name}`, `${to}/${name}`);
      }
    }
  } else {
    write(to, readFileSync(source));
  }
}

/** The first part of a text, as it may have been before it was finished. */
function begin(name) {
  const lines = readFileSync(path.join(root, name), 'utf8').split('\n');
  write(`/${name}`, lines.slice(0, Math.ceil(lines.length * 0.6)).join('\n'));
}

/** Texts that are changed after the last snapshot. */
const unfinished = ['README.md', 'docs/ARCHITECTURE.md', 'docs/CLI.md', 'docs/TESTING.md'];

begin('README.md');
for (const page of readdirSync(path.join(root, 'docs')).sort()) {
  if (!page.endsWith('.md')) continue;
  if (unfinished.includes(`docs/${page}`)) begin(`docs/${page}`);
  else copy(`docs/${page}`, `/docs/${page}`);
}
const parts = readdirSync(path.join(root, 'src')).sort();
const late = new Set(['fuse', 'control', 'native']);
for (const part of parts.filter((name) => !late.has(name))) copy(`src/${part}`, `/src/${part}`);
for (const folder of ['benches', 'fuzz', 'xtask', 'examples']) copy(folder, `/${folder}`);
map.snapshot.create('engine', 'the engine and its pages');

clock.now += 4 * DAY;
copy('docs/images/map.png', '/pictures/map.png');
copy('web-demo/public/icon-512.png', '/pictures/icon.png');
for (const layer of ['zones', 'files', 'heat']) write(`/pictures/${layer}.png`, map.render(layer));
copy('npm/src', '/npm/src');
copy('tests', '/tests');
map.snapshot.create('pictures', 'pictures of itself, and the library for Node');

clock.now += 3 * DAY;
for (const part of parts.filter((name) => late.has(name))) copy(`src/${part}`, `/src/${part}`);
copy('web-demo/src', '/web-demo/src');
copy('web-demo/public', '/web-demo/public');
for (const name of unfinished) copy(name, `/${name}`);
map.fs.rmSync('/examples', { recursive: true });
map.fs.rmSync('/pictures/heat.png');
write(
  '/WELCOME.md',
  `# Welcome

This picture is a filesystem. It holds the sources and pages of AetherFlow itself, and you are looking
at it from above: each patch of colour is a file, the centre is where the important ones lie.

- Point at the plane to see what lies there; click a patch to read it.
- The time line leads back to two earlier states. Compare them with the present.
- Take a copy to edit, and nothing here can go wrong: everything happens in your browser.
`,
);
map.close();
mkdirSync(path.dirname(result), { recursive: true });
copyFileSync(file, result);
