// What a shell and a terminal see: colours, pipes, completion, progress.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';

import { COMMANDS } from '../../npm/dist/cli/registry.js';
import { content, MAIN, ok, random, run, scratch } from './support.mjs';

const ESCAPE = '\u001b[';

function mapOf(t) {
  const directory = scratch(t);
  fs.mkdirSync(path.join(directory, 'source/dir'), { recursive: true });
  fs.writeFileSync(path.join(directory, 'source/evil\u001b[31m'), 'x');
  fs.writeFileSync(path.join(directory, 'source/large'), content(random(1), 4 << 20, 'noise'));
  const map = path.join(directory, 'map.rts.png');
  ok(['build', path.join(directory, 'source'), map]);
  return { directory, map };
}

test('colour: only where a person looks, or when asked for', (t) => {
  const { map } = mapOf(t);
  assert.ok(!ok(['info', map]).stdout.includes(ESCAPE));
  assert.ok(ok(['info', '--color', 'always', map]).stdout.includes(ESCAPE));
  assert.ok(ok(['info', map], { env: { FORCE_COLOR: '1' } }).stdout.includes(ESCAPE));
  assert.ok(!ok(['info', map], { env: { FORCE_COLOR: '0' } }).stdout.includes(ESCAPE));
  assert.ok(!ok(['info', '--json', '--color', 'always', map]).stdout.includes(ESCAPE));
});

test('on a terminal: colour, NO_COLOR, escaped names, progress', (t) => {
  const { directory, map } = mapOf(t);
  const shell = (command, env = {}) => {
    const made = spawnSync('script', ['-qec', command, '/dev/null'], {
      env: {
        ...process.env,
        TERM: 'xterm',
        NO_COLOR: '',
        FORCE_COLOR: '',
        ...env,
      },
    });
    return made.error === undefined ? made.stdout.toString() : undefined;
  };
  const program = `${process.execPath} ${MAIN}`;
  const listed = shell(`${program} ls ${map}`);
  if (listed === undefined) {
    t.skip('script(1) is not installed');
    return;
  }
  assert.ok(listed.includes(`${ESCAPE}34mdir`));
  assert.ok(listed.includes('evil\\x1b[31m'), 'control characters do not reach the terminal');
  assert.ok(!shell(`${program} ls ${map}`, { NO_COLOR: '1' }).includes(`${ESCAPE}34m`));
  const verified = shell(`${program} verify ${map}`);
  assert.match(verified, /verifying/);
  assert.ok(!shell(`${program} verify --quiet ${map}`).includes('verifying'));
  assert.ok(!run(['verify', map]).stderr.includes('verifying'), 'none in a pipe');
  assert.ok(directory.length > 0);
});

test('a reader that goes away is no failure', (t) => {
  const { map } = mapOf(t);
  const program = `${process.execPath} ${MAIN}`;
  const made = spawnSync('bash', [
    '-c',
    `${program} cat ${map} /large | head -c 10 | wc -c; echo "\${PIPESTATUS[0]}"`,
  ]);
  assert.equal(made.stdout.toString(), '10\n0\n', made.stderr.toString());
  assert.equal(made.stderr.toString(), '');
  const find = spawnSync('bash', [
    '-c',
    `${program} completion bash | true; echo "\${PIPESTATUS[0]}"`,
  ]);
  assert.equal(find.stdout.toString(), '0\n');
});

test('completion works in the shells that are here', (t) => {
  const directory = scratch(t);
  for (const shell of ['bash', 'zsh', 'fish']) {
    const script = path.join(directory, shell);
    fs.writeFileSync(script, ok(['completion', shell]).bytes);
    const made = spawnSync(shell, ['-n', script]);
    if (made.error === undefined) assert.equal(made.status, 0, `${shell}: ${made.stderr}`);
  }
  const complete = (words) => {
    const line = `source ${path.join(directory, 'bash')}; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _aetherflow; echo "\${COMPREPLY[@]}"`;
    return spawnSync('bash', ['-c', line]).stdout.toString().trim().split(' ');
  };
  assert.deepEqual(complete(['aetherflow', 'ex']), ['explore', 'extract']);
  assert.deepEqual(complete(['aetherflow', 'snapshot', 're']), ['restore']);
  assert.deepEqual(complete(['aetherflow', 'render', '--layer', 'z']), ['zones']);
  assert.ok(complete(['aetherflow', 'extract', '--f']).includes('--force'));
});

test('every command has help with examples that ends with the exit codes', () => {
  for (const { name } of COMMANDS) {
    const { stdout } = ok([name, '--help']);
    assert.match(stdout, /Examples:\n {2}\$ /, name);
    assert.match(stdout, /Exit codes:\n[\s\S]* 130 {2}interrupted \(Ctrl-C\)\n\n?$/, name);
  }
  assert.match(ok(['--help']).stdout, /Exit codes:/);
  assert.equal(ok(['help', 'ls']).stdout, ok(['ls', '--help']).stdout);
  assert.match(ok(['--version']).stdout, /^\d+\.\d+\.\d+\n$/);
});

test(
  'names that are not UTF-8 can be given on the command line',
  { skip: process.platform === 'linux' ? false : 'Linux only' },
  (t) => {
    const directory = scratch(t);
    const source = path.join(directory, 'source');
    fs.mkdirSync(source);
    fs.writeFileSync(Buffer.concat([Buffer.from(`${source}/`), Buffer.from([0xff, 0x61])]), 'odd');
    const map = path.join(directory, 'map.rts.png');
    ok(['build', source, map]);
    const program = `${process.execPath} ${MAIN}`;
    const made = spawnSync('bash', [
      '-c',
      `${program} cat ${map} $'/\\xffa'; ${program} get ${map} $'/\\xffa' ${directory}/out; cat ${directory}/out`,
    ]);
    assert.equal(made.stdout.toString(), 'oddodd', made.stderr.toString());
    const [entry] = JSON.parse(ok(['ls', '--json', map]).stdout).entries;
    assert.equal(Buffer.from(entry.pathBase64, 'base64').toString('latin1'), '/\xffa');
    assert.ok(ok(['ls', map]).bytes.includes(Buffer.from('\\xffa')));
  },
);
