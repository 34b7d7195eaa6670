import assert from 'node:assert/strict';
import * as nodeFs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import { Map, openMap } from 'aetherflow';
import git from 'isomorphic-git';

const author = { name: 'A', email: 'a@example.org' };

async function exercise(fs) {
  const dir = '/repository';
  const commit = (message) => git.commit({ fs, dir, message, author });
  fs.mkdirSync(dir);
  await git.init({ fs, dir, defaultBranch: 'main' });
  fs.mkdirSync(`${dir}/src/deep`, { recursive: true });
  for (let index = 0; index < 30; index += 1) {
    fs.writeFileSync(`${dir}/src/deep/file-${index}.txt`, `line ${index}\n`.repeat(index + 1));
  }
  fs.writeFileSync(`${dir}/run.sh`, '#!/bin/sh\n', { mode: 0o755 });
  fs.symlinkSync('run.sh', `${dir}/link`);
  await git.add({ fs, dir, filepath: '.' });
  const first = await commit('first');

  await git.branch({ fs, dir, ref: 'side', checkout: true });
  fs.writeFileSync(`${dir}/src/deep/file-3.txt`, 'changed\n');
  fs.rmSync(`${dir}/src/deep/file-4.txt`);
  await git.add({ fs, dir, filepath: 'src/deep/file-3.txt' });
  await git.remove({ fs, dir, filepath: 'src/deep/file-4.txt' });
  await commit('second');

  assert.deepEqual(
    (await git.log({ fs, dir })).map(({ commit: { message } }) => message),
    ['second\n', 'first\n'],
  );
  await git.checkout({ fs, dir, ref: 'main' });
  assert.equal(fs.readFileSync(`${dir}/src/deep/file-3.txt`, 'utf8'), 'line 3\n'.repeat(4));
  assert.ok(fs.existsSync(`${dir}/src/deep/file-4.txt`));
  assert.equal(fs.readlinkSync(`${dir}/link`), 'run.sh');
  assert.equal(fs.statSync(`${dir}/run.sh`).mode & 0o111, 0o111);
  const dirty = (await git.statusMatrix({ fs, dir })).filter(
    ([, head, work, stage]) => !(head === 1 && work === 1 && stage === 1),
  );
  assert.deepEqual(dirty, []);
  await git.checkout({ fs, dir, ref: 'side' });
  assert.equal(fs.existsSync(`${dir}/src/deep/file-4.txt`), false);
  assert.equal(await git.resolveRef({ fs, dir, ref: 'main' }), first);
  return first;
}

test('isomorphic-git works on a map in memory', async () => {
  const map = Map.create();
  await exercise(map.fs);
  map.close();
});

test('isomorphic-git works on a map file, and again after reopening', async () => {
  const home = nodeFs.mkdtempSync(path.join(tmpdir(), 'aetherflow-git-'));
  const file = path.join(home, 'map.rts.png');
  let map = openMap(file, { mode: 'wx' });
  const first = await exercise(map.fs);
  map.close();
  map = openMap(file);
  const [, last] = await git.log({ fs: map.fs, dir: '/repository' });
  assert.equal(last.oid, first);
  await git.checkout({
    fs: map.fs,
    dir: '/repository',
    ref: 'main',
    force: true,
  });
  assert.ok(map.exists('/repository/src/deep/file-4.txt'));
  map.close();
  nodeFs.rmSync(home, { recursive: true });
});
