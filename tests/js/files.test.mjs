import assert from 'node:assert/strict';
import * as nodeFs from 'node:fs';
import { onEveryTarget, pattern, throwsCode } from './support/targets.mjs';

const { constants } = nodeFs;

onEveryTarget('whole files', (it) => {
  it('writes and reads bytes and text', ({ fs, p }) => {
    fs.writeFileSync(p('a'), 'héllo');
    assert.equal(fs.readFileSync(p('a'), 'utf8'), 'héllo');
    assert.deepEqual(fs.readFileSync(p('a')), Buffer.from('héllo'));
    assert.equal(fs.readFileSync(p('a'), { encoding: 'hex' }), '68c3a96c6c6f');
    fs.writeFileSync(p('a'), '616263', 'hex');
    assert.equal(fs.readFileSync(p('a'), 'latin1'), 'abc');
    fs.writeFileSync(p('a'), new Uint16Array([0x4142]));
    assert.equal(fs.statSync(p('a')).size, 2);
    fs.writeFileSync(p('a'), '');
    assert.equal(fs.readFileSync(p('a')).length, 0);
  });

  it('keeps every size around the block sizes', ({ fs, p }) => {
    for (const size of [0, 1, 159, 160, 161, 4095, 4096, 4097, 131_071, 131_072, 131_073]) {
      const bytes = pattern(size, size + 7);
      fs.writeFileSync(p(`s${size}`), bytes);
      assert.ok(fs.readFileSync(p(`s${size}`)).equals(bytes), `size ${size}`);
      assert.equal(fs.statSync(p(`s${size}`)).size, size);
    }
  });

  it('keeps a file of several chunks', ({ fs, p }) => {
    const bytes = pattern(3_300_001, 5);
    fs.writeFileSync(p('large'), bytes);
    assert.ok(fs.readFileSync(p('large')).equals(bytes));
    const exact = pattern(1 << 20, 6);
    fs.writeFileSync(p('exact'), exact);
    assert.ok(fs.readFileSync(p('exact')).equals(exact));
    const text = 'é€😀x'.repeat(200_000);
    fs.writeFileSync(p('text'), text);
    assert.equal(fs.readFileSync(p('text'), 'utf8'), text);
  });

  it('replaces longer contents by shorter ones', ({ fs, p }) => {
    fs.writeFileSync(p('a'), pattern(10_000));
    fs.writeFileSync(p('a'), 'short');
    assert.equal(fs.readFileSync(p('a'), 'utf8'), 'short');
  });

  it('honours the flags of writeFile', ({ fs, p }) => {
    fs.writeFileSync(p('a'), 'one', { flag: 'wx' });
    throwsCode(() => fs.writeFileSync(p('a'), 'two', { flag: 'wx' }), 'EEXIST', 'open');
    fs.writeFileSync(p('a'), 'two', { flag: 'a' });
    assert.equal(fs.readFileSync(p('a'), 'utf8'), 'onetwo');
    fs.writeFileSync(p('a'), 'X', { flag: 'r+' });
    assert.equal(fs.readFileSync(p('a'), 'utf8'), 'Xnetwo');
    throwsCode(() => fs.writeFileSync(p('none'), '', { flag: 'r+' }), 'ENOENT', 'open');
    assert.equal(fs.readFileSync(p('new'), { flag: 'a+' }).length, 0);
    assert.ok(fs.existsSync(p('new')));
  });

  it('gives new files their mode without the umask bits', ({ fs, p }) => {
    fs.writeFileSync(p('a'), '', { mode: 0o777 });
    assert.equal(fs.statSync(p('a')).mode & 0o7777, 0o755);
    fs.writeFileSync(p('b'), '');
    assert.equal(fs.statSync(p('b')).mode & 0o7777, 0o644);
    fs.writeFileSync(p('a'), '', { mode: 0o600 });
    assert.equal(fs.statSync(p('a')).mode & 0o7777, 0o755, 'an existing file keeps its mode');
  });

  it('appends', ({ fs, p }) => {
    fs.appendFileSync(p('log'), 'a');
    fs.appendFileSync(p('log'), Buffer.from('b'));
    fs.appendFileSync(p('log'), '63', 'hex');
    assert.equal(fs.readFileSync(p('log'), 'utf8'), 'abc');
  });

  it('says what is wrong with a path', ({ fs, dir, p }) => {
    throwsCode(() => fs.readFileSync(p('none')), 'ENOENT', 'open');
    throwsCode(() => fs.readFileSync(dir), 'EISDIR', 'read');
    throwsCode(() => fs.writeFileSync(dir, ''), 'EISDIR', 'open');
    throwsCode(() => fs.writeFileSync(p('no/dir'), ''), 'ENOENT', 'open');
    fs.writeFileSync(p('file'), '');
    throwsCode(() => fs.readFileSync(p('file/below')), 'ENOTDIR', 'open');
    throwsCode(() => fs.readFileSync(''), 'ENOENT', 'open');
    throwsCode(() => fs.writeFileSync(p('n'.repeat(256)), ''), 'ENAMETOOLONG', 'open');
    fs.writeFileSync(p('n'.repeat(255)), '');
  });

  it('throws argument errors at once', ({ fs, p }) => {
    throwsCode(() => fs.readFileSync(), 'ERR_INVALID_ARG_TYPE');
    throwsCode(() => fs.readFileSync({}), 'ERR_INVALID_ARG_TYPE');
    throwsCode(() => fs.readFileSync('a\0b'), 'ERR_INVALID_ARG_VALUE');
    throwsCode(() => fs.writeFileSync(p('a'), { no: 'data' }), 'ERR_INVALID_ARG_TYPE');
    throwsCode(() => fs.writeFileSync(p('a'), 5), 'ERR_INVALID_ARG_TYPE');
    assert.equal(fs.existsSync(p('a')), false);
    throwsCode(() => fs.readFileSync(p('a'), 'no-encoding'), 'ERR_INVALID_ARG_VALUE');
    throwsCode(() => fs.openSync(p('a'), 'zz'), 'ERR_INVALID_ARG_VALUE');
    throwsCode(() => fs.openSync(p('a'), 'w', 'nine'), 'ERR_INVALID_ARG_VALUE');
    throwsCode(() => fs.closeSync('3'), 'ERR_INVALID_ARG_TYPE');
    throwsCode(() => fs.closeSync(-1), 'ERR_OUT_OF_RANGE');
    throwsCode(() => fs.closeSync(1_999_999_999), 'EBADF', 'close');
  });

  it('takes paths as Buffer and URL', ({ fs, p }) => {
    fs.writeFileSync(Buffer.from(p('buffer')), 'b');
    assert.equal(fs.readFileSync(p('buffer'), 'utf8'), 'b');
    fs.writeFileSync(new URL(`file://${p('u%20r')}`), 'u');
    assert.equal(fs.readFileSync(p('u r'), 'utf8'), 'u');
    const odd = Buffer.concat([Buffer.from(p('odd-')), Buffer.from([0xff, 0xfe])]);
    fs.writeFileSync(odd, 'odd');
    assert.equal(fs.readFileSync(odd, 'utf8'), 'odd');
    fs.unlinkSync(odd);
    fs.writeFileSync(p('日本語-ß'), 'wide');
    assert.equal(fs.readFileSync(p('日本語-ß'), 'utf8'), 'wide');
    assert.ok(fs.readdirSync(p('.')).includes('日本語-ß'));
  });
});

onEveryTarget('descriptors', (it) => {
  it('reads and writes at positions', ({ fs, p }) => {
    const fd = fs.openSync(p('a'), 'w+');
    assert.equal(fs.writeSync(fd, 'hello'), 5);
    assert.equal(fs.writeSync(fd, Buffer.from('__world__'), 2, 5), 5);
    assert.equal(fs.writeSync(fd, 'J', 0), 1);
    const buffer = Buffer.alloc(20);
    assert.equal(fs.readSync(fd, buffer, 0, 20, 0), 10);
    assert.equal(buffer.toString('utf8', 0, 10), 'Jelloworld');
    assert.equal(fs.readSync(fd, buffer, 0, 5), 0, 'the position stands at the end');
    assert.equal(fs.readSync(fd, buffer, { position: 5, length: 3, offset: 1 }), 3);
    assert.equal(buffer.toString('utf8', 1, 4), 'wor');
    assert.equal(fs.readSync(fd, buffer, 0, 2, 3n), 2);
    assert.equal(fs.readSync(fd, buffer, 0, 5, 100), 0);
    fs.closeSync(fd);
    throwsCode(() => fs.readSync(fd, buffer), 'EBADF', 'read');
    throwsCode(() => fs.closeSync(fd), 'EBADF', 'close');
  });

  it('moves the position of sequential calls', ({ fs, p }) => {
    fs.writeFileSync(p('a'), 'abcdef');
    const fd = fs.openSync(p('a'), 'r+');
    const two = Buffer.alloc(2);
    fs.readSync(fd, two, 0, 2, null);
    assert.equal(two.toString(), 'ab');
    fs.readSync(fd, two, 0, 2, -1);
    assert.equal(two.toString(), 'cd');
    fs.writeSync(fd, 'X');
    assert.equal(fs.readFileSync(fd, 'utf8'), 'f', 'readFile goes on where the descriptor stands');
    assert.equal(fs.readFileSync(p('a'), 'utf8'), 'abcdXf');
    fs.closeSync(fd);
  });

  it('writes a whole file through a descriptor', ({ fs, p }) => {
    const fd = fs.openSync(p('a'), 'w');
    fs.writeFileSync(fd, 'one');
    fs.writeFileSync(fd, 'two');
    fs.appendFileSync(fd, 'three');
    fs.closeSync(fd);
    assert.equal(fs.readFileSync(p('a'), 'utf8'), 'onetwothree');
  });

  it('appends whatever the position says', ({ fs, p }) => {
    fs.writeFileSync(p('a'), 'base');
    const fd = fs.openSync(p('a'), 'a+');
    fs.writeSync(fd, 'X', 0);
    fs.writeSync(fd, 'Y');
    const buffer = Buffer.alloc(6);
    assert.equal(fs.readSync(fd, buffer, 0, 6, 0), 6);
    assert.equal(buffer.toString(), 'baseXY');
    fs.closeSync(fd);
  });

  it('refuses what the descriptor was not opened for', ({ fs, p }) => {
    fs.writeFileSync(p('a'), 'abc');
    const reader = fs.openSync(p('a'), 'r');
    throwsCode(() => fs.writeSync(reader, 'x'), 'EBADF', 'write');
    throwsCode(() => fs.ftruncateSync(reader, 0), 'EINVAL', 'ftruncate');
    const writer = fs.openSync(p('a'), 'r+');
    fs.closeSync(reader);
    const only = fs.openSync(p('a'), constants.O_WRONLY);
    throwsCode(() => fs.readSync(only, Buffer.alloc(1)), 'EBADF', 'read');
    fs.closeSync(writer);
    fs.closeSync(only);
  });

  it('checks ranges of buffers', ({ fs, p }) => {
    fs.writeFileSync(p('a'), 'abc');
    const fd = fs.openSync(p('a'), 'r+');
    const buffer = Buffer.alloc(4);
    throwsCode(() => fs.readSync(fd, buffer, 0, 5, 0), 'ERR_OUT_OF_RANGE');
    throwsCode(() => fs.readSync(fd, buffer, -1, 1, 0), 'ERR_OUT_OF_RANGE');
    throwsCode(() => fs.readSync(fd, buffer, 2, 3, 0), 'ERR_OUT_OF_RANGE');
    throwsCode(() => fs.writeSync(fd, buffer, 5, 1), 'ERR_OUT_OF_RANGE');
    throwsCode(() => fs.writeSync(fd, buffer, 0, 5), 'ERR_OUT_OF_RANGE');
    throwsCode(() => fs.readSync(fd, 'no buffer'), 'ERR_INVALID_ARG_TYPE');
    throwsCode(() => fs.readSync(fd, buffer, 0, 1, 'x'), 'ERR_INVALID_ARG_TYPE');
    fs.closeSync(fd);
  });

  it('gathers and scatters with readv and writev', ({ fs, p }) => {
    const fd = fs.openSync(p('a'), 'w+');
    assert.equal(
      fs.writevSync(fd, [Buffer.from('ab'), new Uint8Array([99, 100]), Buffer.from('ef')]),
      6,
    );
    assert.equal(fs.writevSync(fd, [Buffer.from('X'), Buffer.from('Y')], 1), 2);
    const parts = [Buffer.alloc(2), Buffer.alloc(3), Buffer.alloc(5)];
    assert.equal(fs.readvSync(fd, parts, 0), 6);
    assert.equal(Buffer.concat(parts).toString('utf8', 0, 6), 'aXYdef');
    fs.closeSync(fd);
  });

  it('leaves holes that read as zeros', ({ fs, p }) => {
    const fd = fs.openSync(p('sparse'), 'w+');
    fs.writeSync(fd, 'end', 1_000_000);
    fs.closeSync(fd);
    const bytes = fs.readFileSync(p('sparse'));
    assert.equal(bytes.length, 1_000_003);
    assert.ok(bytes.subarray(0, 1_000_000).every((byte) => byte === 0));
    assert.equal(bytes.toString('utf8', 1_000_000), 'end');
  });

  it('truncates and extends', ({ fs, p }) => {
    fs.writeFileSync(p('a'), pattern(10_000));
    fs.truncateSync(p('a'), 5000);
    assert.ok(fs.readFileSync(p('a')).equals(pattern(10_000).subarray(0, 5000)));
    fs.truncateSync(p('a'), 6000);
    const bytes = fs.readFileSync(p('a'));
    assert.equal(bytes.length, 6000);
    assert.ok(
      bytes.subarray(5000).every((byte) => byte === 0),
      'old bytes do not come back',
    );
    const fd = fs.openSync(p('a'), 'r+');
    fs.ftruncateSync(fd, 3);
    assert.equal(fs.fstatSync(fd).size, 3);
    fs.ftruncateSync(fd);
    assert.equal(fs.fstatSync(fd).size, 0);
    fs.closeSync(fd);
    throwsCode(() => fs.truncateSync(p('none')), 'ENOENT', 'open');
  });

  it('keeps an unlinked file until its last descriptor closes', ({ fs, p }) => {
    fs.writeFileSync(p('a'), 'still here');
    const fd = fs.openSync(p('a'), 'r');
    fs.unlinkSync(p('a'));
    assert.equal(fs.existsSync(p('a')), false);
    assert.equal(fs.readFileSync(fd, 'utf8'), 'still here');
    assert.equal(fs.fstatSync(fd).nlink, 0);
    fs.closeSync(fd);
  });

  it('obeys O_EXCL, O_NOFOLLOW, O_DIRECTORY and O_TRUNC', ({ fs, dir, p }) => {
    fs.writeFileSync(p('a'), 'abc');
    fs.symlinkSync('a', p('link'));
    throwsCode(
      () => fs.openSync(p('link'), constants.O_RDONLY | constants.O_NOFOLLOW),
      'ELOOP',
      'open',
    );
    throwsCode(
      () => fs.openSync(p('a'), constants.O_RDONLY | constants.O_DIRECTORY),
      'ENOTDIR',
      'open',
    );
    throwsCode(() => fs.openSync(p('link'), 'wx'), 'EEXIST', 'open');
    throwsCode(() => fs.openSync(dir, 'r+'), 'EISDIR', 'open');
    fs.closeSync(fs.openSync(p('a'), constants.O_WRONLY | constants.O_TRUNC));
    assert.equal(fs.statSync(p('a')).size, 0);
    fs.symlinkSync('made', p('dangling'));
    fs.writeFileSync(p('dangling'), 'through the link');
    assert.equal(fs.readFileSync(p('made'), 'utf8'), 'through the link');
    const fd = fs.openSync(dir, 'r');
    assert.ok(fs.fstatSync(fd).isDirectory());
    throwsCode(() => fs.readSync(fd, Buffer.alloc(1)), 'EISDIR', 'read');
    fs.closeSync(fd);
  });

  it('syncs', ({ fs, p }) => {
    const fd = fs.openSync(p('a'), 'as');
    fs.writeSync(fd, 'kept');
    fs.fsyncSync(fd);
    fs.fdatasyncSync(fd);
    fs.closeSync(fd);
    throwsCode(() => fs.fsyncSync(fd), 'EBADF', 'fsync');
    fs.writeFileSync(p('b'), 'kept too', { flush: true });
  });
});

onEveryTarget('copies', (it) => {
  it('copies data and mode', ({ fs, p }) => {
    const bytes = pattern(300_000, 3);
    fs.writeFileSync(p('a'), bytes, { mode: 0o755 });
    fs.copyFileSync(p('a'), p('b'));
    assert.ok(fs.readFileSync(p('b')).equals(bytes));
    assert.equal(fs.statSync(p('b')).mode & 0o777, 0o755);
    fs.writeFileSync(p('b'), 'changed');
    assert.ok(fs.readFileSync(p('a')).equals(bytes), 'the source does not change with the copy');
    fs.copyFileSync(p('b'), p('a'));
    assert.equal(fs.readFileSync(p('a'), 'utf8'), 'changed');
    throwsCode(
      () => fs.copyFileSync(p('a'), p('b'), constants.COPYFILE_EXCL),
      'EEXIST',
      'copyfile',
    );
    throwsCode(() => fs.copyFileSync(p('none'), p('c')), 'ENOENT', 'copyfile');
    fs.copyFileSync(p('a'), p('a'));
    assert.equal(fs.readFileSync(p('a'), 'utf8'), 'changed');
    fs.copyFileSync(p('a'), p('c'), constants.COPYFILE_FICLONE);
    assert.equal(fs.readFileSync(p('c'), 'utf8'), 'changed');
  });

  it('copies trees with cp', ({ fs, p }) => {
    fs.mkdirSync(p('src/deep/er'), { recursive: true });
    fs.writeFileSync(p('src/one'), '1');
    fs.writeFileSync(p('src/deep/er/two'), '2');
    fs.symlinkSync('one', p('src/link'));
    throwsCode(() => fs.cpSync(p('src'), p('to')), 'ERR_FS_EISDIR');
    fs.cpSync(p('src'), p('new/to'), {
      recursive: true,
      verbatimSymlinks: true,
    });
    assert.equal(fs.readFileSync(p('new/to/deep/er/two'), 'utf8'), '2');
    assert.equal(fs.readlinkSync(p('new/to/link')), 'one');
    throwsCode(
      () => fs.cpSync(p('src'), p('src/deep/in'), { recursive: true }),
      'ERR_FS_CP_EINVAL',
    );
    throwsCode(() => fs.cpSync(p('src'), p('src'), { recursive: true }), 'ERR_FS_CP_EINVAL');
    throwsCode(
      () => fs.cpSync(p('src'), p('src/one'), { recursive: true }),
      'ERR_FS_CP_DIR_TO_NON_DIR',
    );
    throwsCode(() => fs.cpSync(p('src/one'), p('src/deep')), 'ERR_FS_CP_NON_DIR_TO_DIR');
    throwsCode(() => fs.cpSync(p('none'), p('to')), 'ENOENT');
  });

  it('obeys the options of cp', ({ fs, p }) => {
    fs.mkdirSync(p('src'));
    fs.writeFileSync(p('src/a'), 'new');
    fs.writeFileSync(p('src/skip'), 'no');
    fs.utimesSync(p('src/a'), 1000, 2000);
    fs.mkdirSync(p('to'));
    fs.writeFileSync(p('to/a'), 'old');
    fs.cpSync(p('src'), p('to'), { recursive: true, force: false });
    assert.equal(fs.readFileSync(p('to/a'), 'utf8'), 'old');
    throwsCode(
      () =>
        fs.cpSync(p('src'), p('to'), {
          recursive: true,
          force: false,
          errorOnExist: true,
        }),
      'ERR_FS_CP_EEXIST',
    );
    fs.rmSync(p('to'), { recursive: true });
    const filter = (from) => !from.endsWith('skip');
    fs.cpSync(p('src'), p('to'), {
      recursive: true,
      filter,
      preserveTimestamps: true,
    });
    assert.deepEqual(fs.readdirSync(p('to')), ['a']);
    assert.equal(fs.statSync(p('to/a')).mtimeMs, 2_000_000);
  });
});
