// Shared by the command line tests: running the program, making trees, comparing trees.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';

export const MAIN = fileURLToPath(new URL('../../npm/dist/cli/main.js', import.meta.url));
export const isRoot = process.getuid?.() === 0;
export const hasAttr = spawnSync('getfattr', ['--version']).error === undefined;

/** A directory that goes away with the test. */
export function scratch(test) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'aetherflow-cli-'));
  test.after(() => {
    spawnSync('chmod', ['-R', 'u+rwX', directory]);
    fs.rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

/** Environment without the caller's colour wishes. */
function environment(extra) {
  const env = { ...process.env, ...extra };
  for (const name of ['NO_COLOR', 'FORCE_COLOR']) if (extra?.[name] === undefined) delete env[name];
  return env;
}

/** Runs the program to its end. */
export function run(args, options = {}) {
  const made = spawnSync(process.execPath, [MAIN, ...args], {
    input: options.input ?? '',
    cwd: options.cwd,
    env: environment(options.env),
    uid: options.uid,
    maxBuffer: 1 << 30,
  });
  if (made.error) throw made.error;
  return {
    code: made.status,
    signal: made.signal,
    bytes: made.stdout,
    stdout: made.stdout.toString(),
    stderr: made.stderr.toString(),
  };
}

/** Runs the program and expects success; returns what it printed. */
export function ok(args, options) {
  const made = run(args, options);
  assert.equal(
    made.code,
    0,
    `aetherflow ${args.join(' ')} ended with ${made.code}: ${made.stderr}`,
  );
  return made;
}

/** Runs with --json and returns the document. */
export function json(args, options) {
  const made = ok(
    [
      args[0],
      ...(args[0] === 'snapshot' ? [args[1]] : []),
      '--json',
      ...args.slice(args[0] === 'snapshot' ? 2 : 1),
    ],
    options,
  );
  return JSON.parse(made.stdout);
}

/** Expects a failure with this exit code, told in one line; returns the line. */
export function fails(code, args, options) {
  const made = run(args, options);
  assert.equal(
    made.code,
    code,
    `aetherflow ${args.join(' ')}: ended with ${made.code}: ${made.stderr}`,
  );
  const lines = made.stderr.trimEnd().split('\n');
  assert.equal(lines.length, 1, `one line on stderr, not: ${made.stderr}`);
  assert.match(lines[0], /^aetherflow: /);
  assert.doesNotMatch(made.stderr, /RuntimeError|unreachable|panicked|at file:/);
  return lines[0];
}

export function start(args, options = {}) {
  return spawn(process.execPath, [MAIN, ...args], {
    env: environment(options.env),
    ...options,
  });
}

/** Numbers from a seed, 0 <= n < 2^32. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    let value = state ^ (state >>> 15);
    value = Math.imul(value, 0x2c1b3c6d);
    return (value ^ (value >>> 12)) >>> 0;
  };
}

/** `length` bytes: words of a small vocabulary (compressible) or noise. */
export function content(next, length, kind = 'text') {
  const bytes = Buffer.alloc(length);
  if (kind === 'noise') {
    for (let index = 0; index < length; index += 1) bytes[index] = next() & 0xff;
    return bytes;
  }
  let at = 0;
  while (at < length) at += bytes.write(`word${next() % 500} `, at);
  return bytes;
}

/** A tree with everything that is odd about real ones. */
export function makeTree(root, seed) {
  const next = random(seed);
  const at = (...names) => path.join(root, ...names);
  fs.mkdirSync(at('sizes'), { recursive: true });
  const sizes = [0, 1, 159, 160, 161, 4095, 4096, 4097, 131071, 131072, 131073, 400000, 5 << 20];
  for (const size of sizes) {
    fs.writeFileSync(at('sizes', `text-${size}`), content(next, size));
    fs.writeFileSync(at('sizes', `noise-${size}`), content(next, size, 'noise'));
  }
  fs.writeFileSync(at('sizes', 'same-as-400000'), fs.readFileSync(at('sizes', 'text-400000')));
  fs.writeFileSync(at('sizes', 'same-as-5M'), fs.readFileSync(at('sizes', 'noise-5242880')));
  fs.writeFileSync(at('sizes', 'zeros'), Buffer.alloc(300000));
  fs.writeFileSync(at('sizes', 'ones'), Buffer.alloc(300001, 0xff));
  fs.writeFileSync(at('sizes', 'larger'), content(next, (9 << 20) + 12345));
  const wide = at('wide');
  fs.mkdirSync(wide);
  for (let index = 0; index < 300; index += 1) {
    fs.writeFileSync(path.join(wide, `file-${index}`), content(next, next() % 9000));
  }
  fs.mkdirSync(at('empty'));
  let deep = root;
  for (let level = 0; level < 40; level += 1) deep = path.join(deep, `level-${level}`);
  fs.mkdirSync(deep, { recursive: true });
  fs.writeFileSync(path.join(deep, 'at the bottom'), 'found');
  const names = at('names');
  fs.mkdirSync(names);
  const odd = [
    ' leading',
    'trailing ',
    'new\nline',
    'tab\there',
    '-dash',
    '--',
    '*?[x]',
    'quote\'s "q"',
    'größe',
    '日本語',
    '🦀',
    'a'.repeat(255),
    '\\back',
    '#hash',
    '%25',
  ];
  for (const name of odd) fs.writeFileSync(path.join(names, name), name);
  for (const bytes of [[0xff, 0xfe], [0x61, 0x80, 0x62], [0xc3]]) {
    fs.writeFileSync(Buffer.concat([Buffer.from(`${names}/`), Buffer.from(bytes)]), 'bytes');
  }
  const links = at('links');
  fs.mkdirSync(links);
  fs.symlinkSync('../sizes/text-4096', path.join(links, 'relative'));
  fs.symlinkSync('/nonexistent/absolute', path.join(links, 'dangling'));
  fs.symlinkSync('../sizes', path.join(links, 'directory'));
  fs.symlinkSync('x'.repeat(1000), path.join(links, 'long'));
  fs.writeFileSync(path.join(links, 'one'), content(next, 10000));
  fs.linkSync(path.join(links, 'one'), path.join(links, 'two'));
  fs.linkSync(path.join(links, 'one'), at('empty', 'three'));
  fs.rmSync(at('empty', 'three'));
  fs.mkdirSync(at('elsewhere'));
  fs.linkSync(path.join(links, 'one'), at('elsewhere', 'three'));
  const sparse = fs.openSync(at('sizes', 'sparse'), 'w');
  fs.writeSync(sparse, 'in the middle', 3 << 20);
  fs.ftruncateSync(sparse, 64 << 20);
  fs.closeSync(sparse);
  const modes = at('modes');
  fs.mkdirSync(modes);
  for (const mode of [0o400, 0o644, 0o755, 0o4755, 0o2755, 0o600]) {
    const file = path.join(modes, mode.toString(8));
    fs.writeFileSync(file, 'mode');
    fs.chmodSync(file, mode);
  }
  fs.mkdirSync(path.join(modes, 'sticky'));
  fs.chmodSync(path.join(modes, 'sticky'), 0o1777);
  fs.mkdirSync(path.join(modes, 'closed'));
  fs.writeFileSync(path.join(modes, 'closed', 'inside'), 'inside');
  fs.chmodSync(path.join(modes, 'closed'), 0o555);
  spawnSync('mkfifo', [at('links', 'fifo')]);
  if (isRoot) {
    spawnSync('mknod', [at('links', 'null'), 'c', '1', '3']);
    fs.chownSync(at('sizes', 'text-4096'), 1234, 5678);
    fs.lchownSync(path.join(links, 'relative'), 42, 43);
  }
  if (hasAttr) {
    spawnSync('setfattr', ['-n', 'user.note', '-v', 'a value', at('sizes', 'text-4096')]);
    spawnSync('setfattr', ['-n', 'user.bytes', '-v', '0x00ff0a5c22', at('names')]);
  }
  fs.utimesSync(at('sizes', 'text-1'), '1.5', '-1.25');
  fs.utimesSync(at('sizes', 'text-0'), '4102444800.123456', '1000000000.654321');
  fs.lutimesSync(path.join(links, 'dangling'), '123456789.5', '987654321.25');
  fs.utimesSync(modes, '1111111111.111111', '1222222222.222222');
  return root;
}

function* nodes(root) {
  const waiting = [Buffer.alloc(0)];
  while (waiting.length > 0) {
    const relative = waiting.pop();
    const whole = Buffer.concat([Buffer.from(root), relative]);
    const stat = fs.lstatSync(whole, { bigint: true });
    yield { relative: relative.toString('latin1'), whole, stat };
    if (!stat.isDirectory()) continue;
    for (const name of fs.readdirSync(whole, 'buffer')) {
      waiting.push(Buffer.concat([relative, Buffer.from('/'), name]));
    }
  }
}

function attributesOf(root) {
  if (!hasAttr) return '';
  const made = spawnSync('getfattr', ['-R', '-h', '-d', '-m-', '-e', 'hex', '.'], {
    cwd: root,
    maxBuffer: 1 << 28,
  });
  return made.stdout.toString('latin1').split('\n\n').sort().join('\n\n');
}

/** Fails unless both trees are the same in every respect the host can hold. */
export function assertSameTree(expected, actual, { attributes = true } = {}) {
  const left = new Map([...nodes(expected)].map((node) => [node.relative, node]));
  const right = new Map([...nodes(actual)].map((node) => [node.relative, node]));
  assert.deepEqual([...right.keys()].sort(), [...left.keys()].sort(), 'the same names');
  const groupsOf = (tree) => {
    const groups = new Map();
    for (const { relative, stat } of tree.values()) {
      if (stat.nlink < 2n || stat.isDirectory()) continue;
      const key = `${stat.dev}:${stat.ino}`;
      groups.set(key, [...(groups.get(key) ?? []), relative].sort());
    }
    return [...groups.values()].map(String).sort();
  };
  assert.deepEqual(groupsOf(right), groupsOf(left), 'the same hard links');
  for (const [name, a] of left) {
    const b = right.get(name);
    assert.equal(b.stat.mode, a.stat.mode, `mode of ${name}`);
    if (isRoot)
      assert.deepEqual([b.stat.uid, b.stat.gid], [a.stat.uid, a.stat.gid], `owner of ${name}`);
    assert.equal(b.stat.mtimeNs / 1000n, a.stat.mtimeNs / 1000n, `modification time of ${name}`);
    if (a.stat.isFile()) {
      assert.equal(b.stat.size, a.stat.size, `size of ${name}`);
      assert.ok(fs.readFileSync(a.whole).equals(fs.readFileSync(b.whole)), `bytes of ${name}`);
      if (a.stat.blocks * 512n < a.stat.size) {
        assert.ok(b.stat.blocks * 512n < b.stat.size, `holes of ${name}`);
      }
    } else if (a.stat.isSymbolicLink()) {
      assert.ok(
        fs.readlinkSync(a.whole, 'buffer').equals(fs.readlinkSync(b.whole, 'buffer')),
        `target of ${name}`,
      );
    } else if (!a.stat.isDirectory()) {
      assert.equal(b.stat.rdev, a.stat.rdev, `device of ${name}`);
    }
  }
  if (attributes)
    assert.equal(attributesOf(actual), attributesOf(expected), 'the same extended attributes');
}

/** Names that a failed run left beside a map. */
export function leftovers(directory) {
  return fs.readdirSync(directory).filter((name) => /\.part|-wal$|-lock$/.test(name));
}

export function sha(file) {
  return spawnSync('sha256sum', [file]).stdout.toString().split(' ')[0];
}
