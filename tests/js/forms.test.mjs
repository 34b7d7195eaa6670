import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as nodeFs from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { onEveryTarget, pattern, rejectsCode, throwsCode } from './support/targets.mjs';

const { constants } = nodeFs;

/** Calls a callback function and gives its results as an array, error first. */
function call(action, ...args) {
  return new Promise((resolve) => {
    action(...args, (...results) => {
      while (results.length > 1 && results.at(-1) === undefined) results.pop();
      resolve(results);
    });
  });
}

onEveryTarget('callbacks', (it) => {
  it('come later, with null or the error first', async ({ fs, p }) => {
    let returned = false;
    const done = new Promise((resolve) => {
      fs.writeFile(p('a'), 'abc', (error) => {
        assert.equal(returned, true);
        resolve(error);
      });
    });
    returned = true;
    assert.equal(await done, null);
    assert.deepEqual(await call(fs.readFile, p('a'), 'utf8'), [null, 'abc']);
    const [error] = await call(fs.readFile, p('none'));
    assert.equal(error.code, 'ENOENT');
    assert.equal(error.syscall, 'open');
    assert.equal(error.path, p('none'));
  });

  it('never throw for I/O errors and always for wrong arguments', async ({ fs, p }) => {
    assert.equal((await call(fs.stat, p('none')))[0].code, 'ENOENT');
    assert.equal((await call(fs.rm, p('none')))[0].code, 'ENOENT');
    fs.mkdirSync(p('d'));
    assert.equal((await call(fs.rm, p('d')))[0].code, 'ERR_FS_EISDIR');
    throwsCode(() => fs.stat({}, () => {}), 'ERR_INVALID_ARG_TYPE');
    throwsCode(() => fs.stat(p('a')), 'ERR_INVALID_ARG_TYPE');
    throwsCode(() => fs.readFile(p('a'), 'utf8'), 'ERR_INVALID_ARG_TYPE');
    throwsCode(() => fs.open(p('a'), 'bad', () => {}), 'ERR_INVALID_ARG_VALUE');
    throwsCode(() => fs.close('x', () => {}), 'ERR_INVALID_ARG_TYPE');
  });

  it('exist for every operation', async ({ fs, p }) => {
    assert.deepEqual(await call(fs.mkdir, p('d')), [null]);
    assert.deepEqual(await call(fs.mkdir, p('d/x/y'), { recursive: true }), [null, p('d/x')]);
    assert.deepEqual(await call(fs.writeFile, p('d/a'), 'abc'), [null]);
    assert.deepEqual(await call(fs.appendFile, p('d/a'), 'def'), [null]);
    assert.deepEqual(await call(fs.copyFile, p('d/a'), p('d/b')), [null]);
    assert.deepEqual(await call(fs.rename, p('d/b'), p('d/c')), [null]);
    assert.deepEqual(await call(fs.link, p('d/a'), p('d/hard')), [null]);
    assert.deepEqual(await call(fs.symlink, 'a', p('d/soft')), [null]);
    assert.deepEqual(await call(fs.readlink, p('d/soft')), [null, 'a']);
    assert.equal((await call(fs.stat, p('d/soft')))[1].nlink, 2);
    assert.ok((await call(fs.lstat, p('d/soft')))[1].isSymbolicLink());
    assert.equal((await call(fs.stat, p('d/a'), { bigint: true }))[1].size, 6n);
    assert.deepEqual(await call(fs.chmod, p('d/a'), 0o600), [null]);
    assert.deepEqual(await call(fs.utimes, p('d/a'), 1, 2), [null]);
    assert.deepEqual(await call(fs.lutimes, p('d/soft'), 1, 2), [null]);
    assert.deepEqual(await call(fs.truncate, p('d/a'), 2), [null]);
    assert.deepEqual(await call(fs.access, p('d/a')), [null]);
    assert.equal((await call(fs.access, p('d/a'), constants.X_OK))[0].code, 'EACCES');
    assert.deepEqual(await call(fs.readdir, p('d/x')), [null, ['y']]);
    assert.deepEqual(await call(fs.rmdir, p('d/x/y')), [null]);
    assert.deepEqual(await call(fs.unlink, p('d/c')), [null]);
    assert.deepEqual(await call(fs.exists, p('d/a')), [true]);
    assert.equal((await call(fs.realpath, p('d/soft')))[1], fs.realpathSync(p('d/a')));
    assert.equal((await call(fs.realpath.native, p('d/soft')))[1], fs.realpathSync(p('d/a')));
    assert.equal(typeof (await call(fs.statfs, p('d')))[1].blocks, 'number');
    assert.match((await call(fs.mkdtemp, p('d/t-')))[1], /t-\w{6}$/);
    const [, dir] = await call(fs.opendir, p('d'));
    assert.deepEqual(await call(dir.close.bind(dir)), [null]);
    assert.deepEqual(await call(fs.cp, p('d'), p('e'), { recursive: true }), [null]);
    assert.equal(fs.readFileSync(p('e/a'), 'utf8'), 'ab');
    assert.deepEqual(await call(fs.rm, p('d'), { recursive: true }), [null]);
    assert.equal(fs.existsSync(p('d')), false);
  });

  it('work on descriptors', async ({ fs, p }) => {
    const [, fd] = await call(fs.open, p('a'), 'w+');
    const bytes = Buffer.from('hello');
    assert.deepEqual(await call(fs.write, fd, bytes), [null, 5, bytes]);
    assert.deepEqual(await call(fs.write, fd, ' you'), [null, 4, ' you']);
    assert.deepEqual(await call(fs.write, fd, bytes, 0, 1, 8), [null, 1, bytes]);
    const parts = [Buffer.from('!'), Buffer.from('?')];
    assert.deepEqual(await call(fs.writev, fd, parts), [null, 2, parts]);
    const buffer = Buffer.alloc(5);
    assert.deepEqual(await call(fs.read, fd, buffer, 0, 5, 0), [null, 5, buffer]);
    assert.equal(buffer.toString(), 'hello');
    let [error, count, given] = await call(fs.read, fd, { position: 0 });
    assert.deepEqual([error, count, given.length], [null, 11, 16_384]);
    [error, count] = await call(fs.read, fd, buffer, {
      position: 1,
      length: 2,
    });
    assert.deepEqual([error, count], [null, 2]);
    [error, count] = await call(fs.readv, fd, [buffer], 0);
    assert.deepEqual([error, count], [null, 5]);
    assert.equal((await call(fs.fstat, fd))[1].size, 11);
    assert.deepEqual(await call(fs.fchmod, fd, 0o600), [null]);
    assert.deepEqual(await call(fs.futimes, fd, 3, 4), [null]);
    assert.deepEqual(await call(fs.ftruncate, fd, 3), [null]);
    assert.deepEqual(await call(fs.fsync, fd), [null]);
    assert.deepEqual(await call(fs.fdatasync, fd), [null]);
    assert.deepEqual(await call(fs.close, fd), [null]);
    assert.equal((await call(fs.close, fd))[0].code, 'EBADF');
    assert.equal((await call(fs.fstat, fd))[0].code, 'EBADF');
  });

  it('can be promisified', async ({ fs, p }) => {
    await promisify(fs.writeFile)(p('a'), 'abc');
    assert.equal((await promisify(fs.stat)(p('a'))).size, 3);
    assert.equal(await promisify(fs.exists)(p('a')), true);
    const fd = fs.openSync(p('a'), 'r+');
    const buffer = Buffer.alloc(3);
    assert.deepEqual(await promisify(fs.read)(fd, buffer, 0, 3, 0), {
      bytesRead: 3,
      buffer,
    });
    assert.equal((await promisify(fs.write)(fd, buffer)).bytesWritten, 3);
    fs.closeSync(fd);
  });
});

onEveryTarget('promises', (it) => {
  it('exist for every operation', async ({ fs, p }) => {
    const { promises } = fs;
    assert.equal(await promises.mkdir(p('d/e'), { recursive: true }), p('d'));
    await promises.writeFile(p('d/a'), 'abc');
    await promises.appendFile(p('d/a'), 'def');
    assert.equal(await promises.readFile(p('d/a'), 'utf8'), 'abcdef');
    assert.deepEqual(await promises.readFile(p('d/a')), Buffer.from('abcdef'));
    await promises.copyFile(p('d/a'), p('d/b'));
    await promises.rename(p('d/b'), p('d/c'));
    await promises.link(p('d/a'), p('d/hard'));
    await promises.symlink('a', p('d/soft'));
    assert.equal(await promises.readlink(p('d/soft')), 'a');
    assert.equal((await promises.stat(p('d/soft'))).nlink, 2);
    assert.equal((await promises.stat(p('d/soft'), { bigint: true })).nlink, 2n);
    assert.ok((await promises.lstat(p('d/soft'))).isSymbolicLink());
    await promises.chmod(p('d/a'), 0o600);
    await promises.utimes(p('d/a'), 1, 2);
    await promises.lutimes(p('d/soft'), 1, 2);
    await promises.truncate(p('d/a'), 2);
    await promises.access(p('d/a'));
    assert.deepEqual(await promises.readdir(p('d/e')), []);
    assert.equal(await promises.realpath(p('d/soft')), fs.realpathSync(p('d/a')));
    assert.equal(typeof (await promises.statfs(p('d'))).blocks, 'number');
    assert.match(await promises.mkdtemp(p('d/t-')), /t-\w{6}$/);
    await promises.cp(p('d'), p('f'), {
      recursive: true,
      filter: async (from) => !from.endsWith('c'),
    });
    assert.equal(fs.existsSync(p('f/a')), true);
    assert.equal(fs.existsSync(p('f/c')), false);
    await promises.rmdir(p('d/e'));
    await promises.unlink(p('d/a'));
    await promises.rm(p('d'), { recursive: true });
    assert.equal(promises.constants.R_OK, constants.R_OK);
  });

  it('reject with the right codes', async ({ fs, dir, p }) => {
    const { promises } = fs;
    await rejectsCode(promises.readFile(p('none')), 'ENOENT');
    await rejectsCode(promises.stat(p('none')), 'ENOENT');
    await rejectsCode(promises.readFile(dir), 'EISDIR');
    await rejectsCode(promises.open(p('none'), 'r'), 'ENOENT');
    await rejectsCode(promises.rm(dir), 'ERR_FS_EISDIR');
    await rejectsCode(promises.stat({}), 'ERR_INVALID_ARG_TYPE');
    await rejectsCode(promises.access(p('none')), 'ENOENT');
  });

  it('write iterables and streams', async ({ fs, p }) => {
    const { promises } = fs;
    await promises.writeFile(p('a'), Readable.from(['one', 'two']));
    assert.equal(fs.readFileSync(p('a'), 'utf8'), 'onetwo');
    await promises.writeFile(p('a'), ['x', 'y', 'z']);
    await promises.writeFile(
      p('b'),
      (async function* parts() {
        yield Buffer.from('p');
        yield 'q';
      })(),
    );
    assert.equal(fs.readFileSync(p('a'), 'utf8') + fs.readFileSync(p('b'), 'utf8'), 'xyzpq');
  });

  it('stop at an aborted signal', async ({ fs, p }) => {
    const { promises } = fs;
    const signal = AbortSignal.abort();
    await assert.rejects(promises.writeFile(p('a'), 'x', { signal }), {
      name: 'AbortError',
      code: 'ABORT_ERR',
    });
    fs.writeFileSync(p('b'), 'x');
    await assert.rejects(promises.readFile(p('b'), { signal }), {
      name: 'AbortError',
    });
    assert.equal((await call(fs.readFile, p('b'), { signal }))[0].name, 'AbortError');
  });

  it('let the event loop turn', async ({ fs, p }) => {
    let turned = false;
    setImmediate(() => {
      turned = true;
    });
    for (let index = 0; index < 200; index += 1) await fs.promises.stat(p('.'));
    assert.equal(turned, true);
  });
});

onEveryTarget('file handles', (it) => {
  it('read and write', async ({ fs, p }) => {
    const handle = await fs.promises.open(p('a'), 'w+');
    assert.equal(typeof handle.fd, 'number');
    const written = await handle.write('hello');
    assert.deepEqual([written.bytesWritten, written.buffer], [5, 'hello']);
    await handle.write(Buffer.from('xyz'), 1, 2, 5);
    const buffer = Buffer.alloc(7);
    const { bytesRead } = await handle.read(buffer, 0, 7, 0);
    assert.equal(bytesRead, 7);
    assert.equal(buffer.toString(), 'helloyz');
    assert.equal((await handle.read({ position: 0, length: 3 })).bytesRead, 3);
    assert.equal((await handle.readv([buffer], 0)).bytesRead, 7);
    assert.equal((await handle.writev([Buffer.from('AB'), Buffer.from('C')], 0)).bytesWritten, 3);
    assert.equal((await handle.stat()).size, 7);
    assert.equal((await handle.stat({ bigint: true })).size, 7n);
    await handle.truncate(3);
    await handle.chmod(0o600);
    await handle.utimes(1, 2);
    await handle.sync();
    await handle.datasync();
    let closed = false;
    handle.on('close', () => {
      closed = true;
    });
    await handle.close();
    assert.equal(closed, true);
    assert.equal(handle.fd, -1);
    assert.equal(fs.readFileSync(p('a'), 'utf8'), 'ABC');
    await rejectsCode(handle.read(buffer), 'EBADF');
  });

  it('take and give whole files', async ({ fs, p }) => {
    const handle = await fs.promises.open(p('a'), 'w+');
    await handle.writeFile('one');
    await handle.appendFile('two');
    await handle.writeFile(Readable.from(['three']));
    assert.equal(fs.readFileSync(p('a'), 'utf8'), 'onetwothree');
    await handle.close();
    const reader = await fs.promises.open(p('a'));
    assert.equal(await reader.readFile('utf8'), 'onetwothree');
    await reader.close();
    const other = await fs.promises.open(p('b'), 'w');
    await fs.promises.writeFile(other, 'by handle');
    await other.close();
    assert.equal(fs.readFileSync(p('b'), 'utf8'), 'by handle');
  });

  it('stream, by lines too', async ({ fs, p }) => {
    fs.writeFileSync(p('a'), 'first\nsecond\r\nthird');
    const lines = [];
    const handle = await fs.promises.open(p('a'));
    for await (const line of handle.readLines()) lines.push(line);
    assert.deepEqual(lines, ['first', 'second', 'third']);
    const web = await fs.promises.open(p('a'));
    const chunks = [];
    for await (const chunk of web.readableWebStream()) chunks.push(Buffer.from(chunk));
    assert.equal(Buffer.concat(chunks).toString(), 'first\nsecond\r\nthird');
    await web.close();
    const both = await fs.promises.open(p('b'), 'w');
    await pipeline(Readable.from(['x', 'y']), both.createWriteStream());
    assert.equal(fs.readFileSync(p('b'), 'utf8'), 'xy');
    const again = await fs.promises.open(p('b'));
    assert.equal(await text(again.createReadStream({ start: 1 })), 'y');
    await again[Symbol.asyncDispose]();
  });
});

onEveryTarget('streams', (it) => {
  it('read with start, end and highWaterMark', async ({ fs, p }) => {
    const bytes = pattern(300_000, 9);
    fs.writeFileSync(p('a'), bytes);
    const stream = fs.createReadStream(p('a'), { highWaterMark: 10_000 });
    const chunks = [];
    for await (const chunk of stream) {
      assert.ok(chunk.length <= 10_000);
      chunks.push(chunk);
    }
    assert.ok(Buffer.concat(chunks).equals(bytes));
    assert.equal(stream.bytesRead, 300_000);
    assert.equal(stream.path, p('a'));
    fs.writeFileSync(p('b'), '0123456789');
    assert.equal(await text(fs.createReadStream(p('b'), { start: 2, end: 5 })), '2345');
    assert.equal(await text(fs.createReadStream(p('b'), { start: 7, encoding: 'utf8' })), '789');
    assert.equal(await text(fs.createReadStream(p('b'), 'utf8')), '0123456789');
  });

  it('write, append and start inside', async ({ fs, p }) => {
    const bytes = pattern(200_000, 11);
    const stream = fs.createWriteStream(p('a'));
    await pipeline(Readable.from([bytes.subarray(0, 70_000), bytes.subarray(70_000)]), stream);
    assert.equal(stream.bytesWritten, 200_000);
    assert.ok(fs.readFileSync(p('a')).equals(bytes));
    await pipeline(Readable.from(['tail']), fs.createWriteStream(p('a'), { flags: 'a' }));
    assert.equal(fs.statSync(p('a')).size, 200_004);
    await pipeline(Readable.from(['IN']), fs.createWriteStream(p('a'), { flags: 'r+', start: 3 }));
    assert.equal(fs.readFileSync(p('a')).toString('utf8', 3, 5), 'IN');
    const corked = fs.createWriteStream(p('c'));
    corked.cork();
    corked.write('one');
    corked.write('two');
    corked.uncork();
    await new Promise((resolve) => {
      corked.end(resolve);
    });
    assert.equal(fs.readFileSync(p('c'), 'utf8'), 'onetwo');
  });

  it('emit open, ready, close and errors', async ({ fs, p }) => {
    const failed = await new Promise((resolve) => {
      fs.createReadStream(p('none')).on('error', resolve);
    });
    assert.equal(failed.code, 'ENOENT');
    fs.writeFileSync(p('a'), 'abc');
    const events = [];
    const stream = fs.createReadStream(p('a'));
    for (const event of ['open', 'ready', 'end', 'close'])
      stream.on(event, () => events.push(event));
    stream.resume();
    await new Promise((resolve) => {
      stream.on('close', resolve);
    });
    assert.deepEqual(events, ['open', 'ready', 'end', 'close']);
  });

  it('use a given descriptor and leave it open when told', async ({ fs, p }) => {
    fs.writeFileSync(p('a'), 'abcdef');
    const fd = fs.openSync(p('a'), 'r');
    assert.equal(await text(fs.createReadStream('', { fd, start: 2, autoClose: false })), 'cdef');
    assert.equal(fs.fstatSync(fd).size, 6);
    fs.closeSync(fd);
  });

  it('are of the classes that fs names', async ({ fs, p }) => {
    fs.writeFileSync(p('a'), '');
    const reader = fs.createReadStream(p('a'));
    assert.ok(reader instanceof fs.ReadStream);
    const writer = fs.createWriteStream(p('b'));
    assert.ok(writer instanceof fs.WriteStream);
    for (const stream of [reader, writer]) {
      stream.destroy();
      await once(stream, 'close');
    }
  });
});
