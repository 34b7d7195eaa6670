// Parts of the command line that need no map.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { Claims, claimsBuffer } from '../../npm/dist/cli/build/claims.js';
import { timestampOf } from '../../npm/dist/cli/build/walker.js';
import { EXIT, exitCodeOf } from '../../npm/dist/cli/exit-codes.js';
import { Failure, failureOf, whyOf } from '../../npm/dist/cli/failure.js';
import {
  bar,
  displayName,
  humanCount,
  humanDuration,
  humanSize,
} from '../../npm/dist/cli/output.js';
import { globExpression, splitPath } from '../../npm/dist/cli/paths.js';
import { deviceNumbers, exactTime, modeString } from '../../npm/dist/cli/session.js';
import { random } from './support.mjs';

test('globs', () => {
  const cases = [
    ['*.rs', 'main.rs', true],
    ['*.rs', 'a/main.rs', false],
    ['**/*.rs', 'a/b/main.rs', true],
    ['**/*.rs', 'main.rs', true],
    ['/src/**', '/src/a/b', true],
    ['?', 'ab', false],
    ['[a-c]x', 'bx', true],
    ['[!a-c]x', 'bx', false],
    ['[!a-c]x', '/x', false],
    ['{a,b}.txt', 'b.txt', true],
    ['a.c', 'abc', false],
    ['\\*', '*', true],
    ['\\*', 'x', false],
    ['a-b', 'a-b', true],
    ['[', '[', true],
    ['(x|y)', '(x|y)', true],
    ['größe', 'größe', true],
  ];
  for (const [pattern, text, fits] of cases) {
    assert.equal(globExpression(pattern).test(text), fits, `${pattern} ${text}`);
  }
  assert.ok(globExpression('README*', { insensitive: true }).test('readme.md'));
});

test('figures for people', () => {
  assert.equal(humanSize(0), '0 B');
  assert.equal(humanSize(1023), '1023 B');
  assert.equal(humanSize(1536), '1.5 KiB');
  assert.equal(humanSize(5 * 1024 ** 3), '5.0 GiB');
  assert.equal(humanSize(1024 ** 2 - 1), '1.0 MiB');
  assert.equal(humanCount(1234567), '1,234,567');
  assert.equal(humanDuration(61000), '61 s');
  assert.equal(humanDuration(3725000), '1:02:05');
  assert.equal(bar(0, 4), '    ');
  assert.equal(bar(1, 4), '████');
  assert.equal(bar(0.0001, 4), '▏   ');
});

test('names and times', () => {
  assert.equal(displayName(Buffer.from([0x61, 0xff, 0xc3, 0xa9])), 'a\\xffé');
  assert.deepEqual(splitPath(Buffer.from('//a///b/')).map(String), ['a', 'b']);
  assert.equal(exactTime({ seconds: -2, nanoseconds: 750000000 }), '-1.250000000');
  assert.equal(exactTime({ seconds: -1, nanoseconds: 500000000 }), '-0.500000000');
  assert.equal(exactTime({ seconds: 5, nanoseconds: 1 }), '5.000000001');
  assert.equal(modeString(0o104755), '-rwsr-xr-x');
  assert.equal(modeString(0o041777), 'drwxrwxrwt');
  assert.equal(modeString(0o102644), '-rw-r-Sr--');
  assert.deepEqual(deviceNumbers(0x0103), { major: 1, minor: 3 });
  const next = random(1);
  for (let round = 0; round < 20000; round += 1) {
    const seconds = BigInt(next()) * 2n - 3000000000n;
    const rest = BigInt(next() % 1000000000);
    const time = timestampOf(seconds * 1000000000n + rest);
    assert.equal(
      BigInt(time.seconds) * 1000000000n + BigInt(time.nanoseconds),
      seconds * 1000000000n + rest,
    );
  }
});

test('failures', () => {
  assert.equal(exitCodeOf('corrupt', 'EIO'), EXIT.damaged);
  assert.equal(exitCodeOf(undefined, 'ENOSPC'), EXIT.noSpace);
  assert.equal(exitCodeOf('nothing known', 'EWHAT'), EXIT.failure);
  const node = Object.assign(new Error("ENOENT: no such file or directory, open '/x, open y'"), {
    code: 'ENOENT',
    syscall: 'open',
  });
  assert.equal(
    whyOf(
      Object.assign(new Error("EIO: checksum, expected a, found b, read '/x'"), {
        code: 'EIO',
        syscall: 'read',
      }),
    ),
    'checksum, expected a, found b',
  );
  const failure = failureOf(node, 'cannot open', '/x\n');
  assert.equal(failure.exit, EXIT.notFound);
  assert.equal(failure.line().includes('\n'), false);
  assert.ok(new Failure(1, 'a', 'b', 'c').document().error.reason.length > 0);
});

test('claims: the first wins, hashes do not mix', () => {
  const claims = new Claims(claimsBuffer(1000));
  const hash = (text) => createHash('sha256').update(text).digest();
  for (let unit = 0; unit < 1000; unit += 1)
    assert.equal(claims.claim(hash(String(unit)), unit), unit);
  for (let unit = 0; unit < 1000; unit += 1)
    assert.equal(claims.claim(hash(String(unit)), 5000 + unit), unit);
});
