import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as nodeFs from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const page = nodeFs.readFileSync(path.join(here, '../../npm/README.md'), 'utf8');

test('the example in the README runs and prints what it says', () => {
  const [, example] = /```js\n([\s\S]*?)```/.exec(page);
  const home = nodeFs.mkdtempSync(path.join(tmpdir(), 'aetherflow-readme-'));
  const script = example.replace("'aetherflow'", JSON.stringify(import.meta.resolve('aetherflow')));
  nodeFs.writeFileSync(path.join(home, 'example.mjs'), script);
  const run = () => spawnSync(process.execPath, ['example.mjs'], { cwd: home, encoding: 'utf8' });
  const { stdout, stderr } = run();
  assert.equal(stderr, '');
  assert.equal(stdout, "Everything here is also a picture.\n[ 'today.txt' ]\n");
  assert.deepEqual(nodeFs.readdirSync(home).sort(), ['example.mjs', 'map.rts.png']);
  nodeFs.rmSync(home, { recursive: true });
});

test('the types fit what users of node:fs write', () => {
  const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const project = path.join(here, 'types');
  const { stdout, status } = spawnSync(process.execPath, [compiler, '-p', project], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stdout);
});
