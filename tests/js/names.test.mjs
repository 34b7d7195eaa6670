import assert from 'node:assert/strict';
import * as nodeFs from 'node:fs';
import { onEveryTarget, throwsCode } from './support/targets.mjs';

const { constants } = nodeFs;
const isRoot = process.getuid?.() === 0;

onEveryTarget('directories', (it) => {
  it('makes and removes them', ({ fs, p }) => {
    assert.equal(fs.mkdirSync(p('d')), undefined);
    throwsCode(() => fs.mkdirSync(p('d')), 'EEXIST', 'mkdir');
    throwsCode(() => fs.mkdirSync(p('no/d')), 'ENOENT', 'mkdir');
    fs.writeFileSync(p('d/f'), '');
    throwsCode(() => fs.rmdirSync(p('d')), 'ENOTEMPTY', 'rmdir');
    throwsCode(() => fs.rmdirSync(p('d/f')), 'ENOTDIR', 'rmdir');
    throwsCode(() => fs.mkdirSync(p('d/f/g')), 'ENOTDIR', 'mkdir');
    fs.unlinkSync(p('d/f'));
    fs.rmdirSync(p('d'));
    throwsCode(() => fs.rmdirSync(p('d')), 'ENOENT', 'rmdir');
    fs.mkdirSync(p('m'), 0o700);
    assert.equal(fs.statSync(p('m')).mode & 0o777, 0o700);
    fs.mkdirSync(p('slash/'));
    assert.ok(fs.statSync(p('slash')).isDirectory());
  });

  it('makes whole paths and names the first one made', ({ fs, p }) => {
    assert.equal(fs.mkdirSync(p('a/b/c'), { recursive: true }), p('a'));
    assert.equal(fs.mkdirSync(p('a/b/c'), { recursive: true }), undefined);
    assert.equal(fs.mkdirSync(p('a/b/d/e/'), { recursive: true }), p('a/b/d'));
    fs.writeFileSync(p('f'), '');
    throwsCode(() => fs.mkdirSync(p('f'), { recursive: true }), 'EEXIST', 'mkdir');
    throwsCode(() => fs.mkdirSync(p('f/g'), { recursive: true }), 'ENOTDIR', 'mkdir');
    fs.symlinkSync('a', p('link'));
    fs.mkdirSync(p('link/x/y'), { recursive: true });
    assert.ok(fs.statSync(p('a/x/y')).isDirectory());
  });

  it('lists names, types, bytes and trees', ({ fs, p }) => {
    fs.mkdirSync(p('d/sub'), { recursive: true });
    fs.writeFileSync(p('d/file'), '');
    fs.writeFileSync(p('d/sub/deep'), '');
    fs.symlinkSync('file', p('d/link'));
    assert.deepEqual(fs.readdirSync(p('d')).sort(), ['file', 'link', 'sub']);
    const entries = fs.readdirSync(p('d'), { withFileTypes: true });
    const kinds = Object.fromEntries(
      entries.map((entry) => [
        entry.name,
        [entry.isFile(), entry.isDirectory(), entry.isSymbolicLink(), entry.isFIFO()],
      ]),
    );
    assert.deepEqual(kinds, {
      file: [true, false, false, false],
      sub: [false, true, false, false],
      link: [false, false, true, false],
    });
    assert.equal(entries[0].parentPath, p('d'));
    const bytes = fs.readdirSync(p('d'), 'buffer');
    assert.ok(bytes.every((name) => Buffer.isBuffer(name)));
    assert.deepEqual(fs.readdirSync(p('d'), { recursive: true }).sort(), [
      'file',
      'link',
      'sub',
      'sub/deep',
    ]);
    const deep = fs.readdirSync(p('d'), {
      recursive: true,
      withFileTypes: true,
    });
    assert.equal(deep.find((entry) => entry.name === 'deep').parentPath, p('d/sub'));
    throwsCode(() => fs.readdirSync(p('none')), 'ENOENT', 'scandir');
    throwsCode(() => fs.readdirSync(p('d/file')), 'ENOTDIR', 'scandir');
  });

  it('lists a large directory completely', ({ fs, p }) => {
    fs.mkdirSync(p('many'));
    const names = Array.from(
      { length: 5000 },
      (_, index) => `entry-${index}-${'x'.repeat(index % 200)}`,
    );
    for (const name of names) fs.writeFileSync(p('many', name), '');
    assert.deepEqual(fs.readdirSync(p('many')).sort(), names.sort());
    fs.rmSync(p('many'), { recursive: true });
    assert.equal(fs.existsSync(p('many')), false);
  });

  it('removes with rm', ({ fs, p }) => {
    fs.mkdirSync(p('d/e/f'), { recursive: true });
    fs.writeFileSync(p('d/e/x'), '');
    fs.symlinkSync('/', p('d/e/out'));
    throwsCode(() => fs.rmSync(p('d')), 'ERR_FS_EISDIR');
    throwsCode(() => fs.rmSync(p('none')), 'ENOENT');
    fs.rmSync(p('none'), { force: true });
    fs.rmSync(p('d/e/x'));
    fs.rmSync(p('d'), { recursive: true });
    assert.equal(fs.existsSync(p('d')), false);
    assert.ok(fs.existsSync('/'), 'links are removed, not followed');
    fs.symlinkSync('gone', p('dangling'));
    fs.rmSync(p('dangling'));
    throwsCode(() => fs.lstatSync(p('dangling')), 'ENOENT', 'lstat');
  });

  it('reads a directory step by step', async ({ fs, p }) => {
    fs.mkdirSync(p('d/sub'), { recursive: true });
    for (let index = 0; index < 100; index += 1) fs.writeFileSync(p('d', `f${index}`), '');
    const dir = fs.opendirSync(p('d'), { bufferSize: 7 });
    assert.equal(dir.path, p('d'));
    const names = [];
    for (let entry = dir.readSync(); entry !== null; entry = dir.readSync()) names.push(entry.name);
    assert.equal(names.length, 101);
    assert.equal(new Set(names).size, 101);
    dir.closeSync();
    assert.throws(() => dir.readSync(), { code: 'ERR_DIR_CLOSED' });
    const seen = [];
    for await (const entry of await fs.promises.opendir(p('d'))) seen.push(entry.name);
    assert.deepEqual(seen.sort(), names.sort());
    const opened = fs.opendirSync(p('d'));
    const first = await new Promise((resolve, reject) => {
      opened.read((error, entry) => (error ? reject(error) : resolve(entry)));
    });
    assert.ok(names.includes(first.name));
    await opened.close();
    throwsCode(() => fs.opendirSync(p('none')), 'ENOENT', 'opendir');
    throwsCode(() => fs.opendirSync(p('d/f0')), 'ENOTDIR', 'opendir');
  });

  it('makes directories with random names', ({ fs, p }) => {
    const made = fs.mkdtempSync(p('tmp-'));
    assert.match(made, /\/tmp-[A-Za-z0-9]{6}$/);
    assert.equal(fs.statSync(made).mode & 0o777, 0o700);
    assert.notEqual(fs.mkdtempSync(p('tmp-')), made);
    throwsCode(() => fs.mkdtempSync(p('no/tmp-')), 'ENOENT', 'mkdtemp');
  });
});

onEveryTarget('renames and links', (it) => {
  it('renames over files and empty directories', ({ fs, p }) => {
    fs.writeFileSync(p('a'), 'A');
    fs.writeFileSync(p('b'), 'B');
    fs.renameSync(p('a'), p('b'));
    assert.equal(fs.readFileSync(p('b'), 'utf8'), 'A');
    assert.equal(fs.existsSync(p('a')), false);
    fs.mkdirSync(p('d/in'), { recursive: true });
    fs.mkdirSync(p('e'));
    fs.renameSync(p('d'), p('e'));
    assert.deepEqual(fs.readdirSync(p('e')), ['in']);
    fs.mkdirSync(p('full'));
    fs.writeFileSync(p('full/x'), '');
    throwsCode(() => fs.renameSync(p('e'), p('full')), 'ENOTEMPTY', 'rename');
    throwsCode(() => fs.renameSync(p('b'), p('full')), 'EISDIR', 'rename');
    throwsCode(() => fs.renameSync(p('full'), p('b')), 'ENOTDIR', 'rename');
    throwsCode(() => fs.renameSync(p('e'), p('e/in/here')), 'EINVAL', 'rename');
    throwsCode(() => fs.renameSync(p('none'), p('x')), 'ENOENT', 'rename');
    fs.renameSync(p('b'), p('b'));
    assert.equal(fs.readFileSync(p('b'), 'utf8'), 'A');
    fs.renameSync(p('e/in'), p('moved'));
    assert.deepEqual(fs.readdirSync(p('e')), []);
    assert.ok(fs.statSync(p('moved/..')).isDirectory());
  });

  it('names both paths of a failed rename', ({ fs, p }) => {
    assert.throws(
      () => fs.renameSync(p('none'), p('x')),
      (error) =>
        error.path === p('none') &&
        error.dest === p('x') &&
        error.message === `ENOENT: no such file or directory, rename '${p('none')}' -> '${p('x')}'`,
    );
  });

  it('makes hard links', ({ fs, p }) => {
    fs.writeFileSync(p('a'), 'shared');
    fs.linkSync(p('a'), p('b'));
    assert.equal(fs.statSync(p('a')).nlink, 2);
    assert.equal(fs.statSync(p('a')).ino, fs.statSync(p('b')).ino);
    fs.writeFileSync(p('b'), 'both');
    assert.equal(fs.readFileSync(p('a'), 'utf8'), 'both');
    fs.unlinkSync(p('a'));
    assert.equal(fs.statSync(p('b')).nlink, 1);
    throwsCode(() => fs.linkSync(p('b'), p('b')), 'EEXIST', 'link');
    throwsCode(() => fs.linkSync(p('none'), p('c')), 'ENOENT', 'link');
    fs.mkdirSync(p('d'));
    throwsCode(() => fs.linkSync(p('d'), p('e')), 'EPERM', 'link');
    fs.symlinkSync('b', p('soft'));
    fs.linkSync(p('soft'), p('soft2'));
    assert.equal(fs.readlinkSync(p('soft2')), 'b');
  });

  it('makes and follows symbolic links', ({ fs, p }) => {
    fs.mkdirSync(p('d/e'), { recursive: true });
    fs.writeFileSync(p('d/file'), 'found');
    fs.symlinkSync('d', p('to-d'));
    fs.symlinkSync('../d/file', p('d/up'));
    fs.symlinkSync(p('d/file'), p('absolute'));
    assert.equal(fs.readFileSync(p('to-d/up'), 'utf8'), 'found');
    assert.equal(fs.readFileSync(p('absolute'), 'utf8'), 'found');
    assert.equal(fs.readlinkSync(p('d/up')), '../d/file');
    assert.deepEqual(fs.readlinkSync(p('d/up'), 'buffer'), Buffer.from('../d/file'));
    assert.ok(fs.lstatSync(p('to-d')).isSymbolicLink());
    assert.equal(fs.lstatSync(p('to-d')).size, 1);
    assert.ok(fs.statSync(p('to-d')).isDirectory());
    throwsCode(() => fs.readlinkSync(p('d/file')), 'EINVAL', 'readlink');
    throwsCode(() => fs.symlinkSync('x', p('to-d')), 'EEXIST', 'symlink');
    throwsCode(() => fs.symlinkSync('', p('empty')), 'ENOENT', 'symlink');
    fs.symlinkSync('loop', p('loop'));
    throwsCode(() => fs.statSync(p('loop')), 'ELOOP', 'stat');
    fs.unlinkSync(p('to-d'));
    assert.ok(fs.existsSync(p('d')));
  });

  it('finds real paths', ({ fs, p }) => {
    fs.mkdirSync(p('d/e'), { recursive: true });
    fs.writeFileSync(p('d/e/f'), '');
    fs.symlinkSync('d/e', p('short'));
    fs.symlinkSync(p('short'), p('far'));
    const base = fs.realpathSync(p('.'));
    assert.equal(fs.realpathSync(p('far/f')), `${base}/d/e/f`);
    assert.equal(fs.realpathSync.native(`${p('far')}/../e/./f`), `${base}/d/e/f`);
    assert.equal(fs.realpathSync.native(p('short')), `${base}/d/e`);
    assert.equal(fs.realpathSync('/'), '/');
    throwsCode(() => fs.realpathSync(p('none')), 'ENOENT');
    assert.deepEqual(fs.realpathSync(p('far'), 'buffer'), Buffer.from(`${base}/d/e`));
  });

  it('refuses to unlink directories', ({ fs, p }) => {
    fs.mkdirSync(p('d'));
    throwsCode(() => fs.unlinkSync(p('d')), 'EISDIR', 'unlink');
    throwsCode(() => fs.unlinkSync(p('none')), 'ENOENT', 'unlink');
  });
});

onEveryTarget('attributes', (it) => {
  it('describes files', ({ fs, p }) => {
    const before = Date.now();
    fs.writeFileSync(p('a'), 'four');
    const stats = fs.statSync(p('a'));
    assert.ok(
      stats.isFile() && !stats.isDirectory() && !stats.isSymbolicLink() && !stats.isSocket(),
    );
    assert.equal(stats.size, 4);
    assert.equal(stats.nlink, 1);
    assert.equal(stats.mode, 0o100644);
    assert.ok(stats.mtime instanceof Date);
    assert.ok(Math.abs(stats.mtimeMs - before) < 5000);
    assert.equal(typeof stats.birthtimeMs, 'number');
    assert.equal(stats.blksize, 4096);
    throwsCode(() => fs.statSync(p('none')), 'ENOENT', 'stat');
    assert.equal(fs.statSync(p('none'), { throwIfNoEntry: false }), undefined);
    assert.equal(fs.lstatSync(p('none'), { throwIfNoEntry: false }), undefined);
    throwsCode(() => fs.lstatSync(p('a/b'), { throwIfNoEntry: false }), 'ENOTDIR', 'lstat');
  });

  it('describes files exactly with bigints', ({ fs, p }) => {
    fs.writeFileSync(p('a'), 'four');
    const stats = fs.statSync(p('a'), { bigint: true });
    assert.equal(stats.size, 4n);
    assert.equal(stats.mode, 0o100644n);
    assert.ok(stats.isFile());
    assert.equal(stats.mtimeMs, stats.mtimeNs / 1_000_000n);
    assert.ok(stats.mtime instanceof Date);
    const plain = fs.statSync(p('a'));
    assert.equal(BigInt(plain.ino), stats.ino);
    assert.ok(Math.abs(plain.mtimeMs - Number(stats.mtimeNs) / 1e6) < 0.01);
    const fd = fs.openSync(p('a'));
    assert.equal(fs.fstatSync(fd, { bigint: true }).ino, stats.ino);
    fs.closeSync(fd);
    assert.equal(typeof fs.statfsSync(p('.')).bsize, 'number');
    assert.equal(typeof fs.statfsSync(p('.'), { bigint: true }).blocks, 'bigint');
  });

  it('counts the links of directories', ({ fs, p }) => {
    fs.mkdirSync(p('d/one'), { recursive: true });
    fs.mkdirSync(p('d/two'));
    fs.writeFileSync(p('d/file'), '');
    assert.equal(fs.statSync(p('d')).nlink, 4);
    fs.rmdirSync(p('d/one'));
    assert.equal(fs.statSync(p('d')).nlink, 3);
  });

  it('checks access', ({ fs, dir, p }) => {
    fs.writeFileSync(p('a'), '');
    fs.accessSync(p('a'));
    fs.accessSync(p('a'), constants.R_OK | constants.W_OK);
    throwsCode(() => fs.accessSync(p('a'), constants.X_OK), 'EACCES', 'access');
    throwsCode(() => fs.accessSync(p('none')), 'ENOENT', 'access');
    fs.chmodSync(p('a'), 0o755);
    fs.accessSync(p('a'), constants.X_OK);
    fs.accessSync(dir, constants.X_OK);
    assert.equal(fs.existsSync(p('a')), true);
    assert.equal(fs.existsSync(p('none')), false);
    assert.equal(fs.existsSync(), false);
  });

  it('changes modes', ({ fs, p }) => {
    fs.writeFileSync(p('a'), '');
    fs.chmodSync(p('a'), 0o4751);
    assert.equal(fs.statSync(p('a')).mode, 0o104751);
    fs.chmodSync(p('a'), '600');
    assert.equal(fs.statSync(p('a')).mode & 0o7777, 0o600);
    const fd = fs.openSync(p('a'), 'r');
    fs.fchmodSync(fd, 0o640);
    fs.closeSync(fd);
    assert.equal(fs.statSync(p('a')).mode & 0o7777, 0o640);
    throwsCode(() => fs.chmodSync(p('none'), 0o600), 'ENOENT', 'chmod');
    throwsCode(() => fs.chmodSync(p('a'), '9'), 'ERR_INVALID_ARG_VALUE');
  });

  it(
    'changes owners',
    ({ fs, p }) => {
      fs.writeFileSync(p('a'), '');
      fs.symlinkSync('a', p('l'));
      fs.chownSync(p('a'), 12, 34);
      fs.lchownSync(p('l'), 56, 78);
      let stats = fs.statSync(p('a'));
      assert.deepEqual([stats.uid, stats.gid], [12, 34]);
      fs.chownSync(p('a'), -1, 99);
      stats = fs.statSync(p('a'));
      assert.deepEqual([stats.uid, stats.gid], [12, 99]);
      stats = fs.lstatSync(p('l'));
      assert.deepEqual([stats.uid, stats.gid], [56, 78]);
      const fd = fs.openSync(p('a'), 'r');
      fs.fchownSync(fd, 1, 2);
      fs.closeSync(fd);
      assert.equal(fs.statSync(p('a')).uid, 1);
      throwsCode(() => fs.chownSync(p('a'), 1.5, 0), 'ERR_OUT_OF_RANGE');
    },
    { skip: isRoot ? false : 'only root may give files away' },
  );

  it('sets times', ({ fs, p }) => {
    fs.writeFileSync(p('a'), '');
    fs.symlinkSync('a', p('l'));
    fs.utimesSync(p('a'), 1_600_000_000.25, new Date('2021-03-04T05:06:07.089Z'));
    let stats = fs.statSync(p('a'));
    assert.equal(stats.atimeMs, 1_600_000_000_250);
    assert.equal(stats.mtime.toISOString(), '2021-03-04T05:06:07.089Z');
    fs.lutimesSync(p('l'), 5, '6');
    stats = fs.lstatSync(p('l'));
    assert.deepEqual([stats.atimeMs, stats.mtimeMs], [5000, 6000]);
    const fd = fs.openSync(p('a'), 'r');
    fs.futimesSync(fd, 7, 8);
    fs.closeSync(fd);
    assert.equal(fs.statSync(p('a')).mtimeMs, 8000);
    throwsCode(() => fs.utimesSync(p('a'), 'yesterday', 0), 'ERR_INVALID_ARG_TYPE');
    throwsCode(() => fs.utimesSync(p('none'), 0, 0), 'ENOENT', 'utime');
  });

  it('moves times as changes do', ({ fs, p }) => {
    fs.mkdirSync(p('d'));
    fs.utimesSync(p('d'), 1, 1);
    fs.writeFileSync(p('d/a'), '');
    assert.notEqual(fs.statSync(p('d')).mtimeMs, 1000, 'a new name changes its directory');
    fs.utimesSync(p('d/a'), 1, 1);
    fs.writeFileSync(p('d/a'), 'x');
    assert.notEqual(fs.statSync(p('d/a')).mtimeMs, 1000);
  });
});
