// Nothing a visitor has is lost or half there: when room ends, when a tab ends, when two things
// happen at once, and whatever a map or a server says.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { openMap } from 'aetherflow';

import { temporary } from './support/visit.mjs';
import { engineVisit } from './support/engine.mjs';

const MiB = 1 << 20;
const folder = temporary();

engineVisit('without room a map is not let go of', {}, async ({ page, room }) => {
  await page.evaluate(async () => {
    await call('create', 'other');
    await call('create', 'full');
    await call('write', '/a.txt', new TextEncoder().encode('old'));
  });
  await room(20_000);
  const seen = await page.evaluate(async (bytes) => {
    const big = noise(bytes);
    const write = await problem(call('write', '/big.bin', big));
    const close = await problem(call('close'));
    const open = await problem(call('open', { kind: 'stored', name: 'other' }));
    const create = await problem(call('create', 'third'));
    const sizes = (await call('list', '/')).map(({ name, size }) => `${name} ${size}`);
    const maps = (await call('storedMaps')).map(({ name }) => name).sort();
    return { write, close, open, create, sizes, maps };
  }, MiB);
  assert.equal(seen.write, 'no-space');
  assert.deepEqual([seen.close, seen.open, seen.create], ['no-space', 'no-space', 'no-space']);
  assert.ok(seen.sizes.includes('a.txt 3'), `${seen.sizes}`);
  assert.deepEqual(seen.maps, ['full', 'other'], 'nothing new is left over');
  await room(undefined);
  // Room was made: it saves itself, and is whole.
  const after = await page.evaluate(async () => {
    await call('sync');
    await call('close');
    await call('open', { kind: 'stored', name: 'full' });
    const { problems } = await call('verify', true);
    return {
      old: await text('/a.txt'),
      sizes: await call('list', '/'),
      problems,
    };
  });
  assert.equal(after.old, 'old');
  assert.deepEqual(after.problems, []);
});

engineVisit('who wants to lose the last changes can', {}, async ({ page, room }) => {
  await page.evaluate(async () => {
    await call('create', 'full');
    await call('write', '/a.txt', new TextEncoder().encode('old'));
  });
  await room(20_000);
  const seen = await page.evaluate(async (bytes) => {
    await problem(call('write', '/big.bin', noise(bytes)));
    const asked = await problem(call('close'));
    const forced = await problem(call('close', true));
    const gone = await problem(call('list', '/'));
    await call('open', { kind: 'stored', name: 'full' });
    return { asked, forced, gone, old: await text('/a.txt') };
  }, MiB);
  assert.deepEqual(seen, {
    asked: 'no-space',
    forced: 'none',
    gone: 'closed',
    old: 'old',
  });
});

engineVisit('a tab that ends during an import leaves whole files only', {}, async ({ page }) => {
  const seen = await page.evaluate(async (MiB) => {
    await call('create', 'cut');
    await call('write', '/kept.bin', new TextEncoder().encode('what was there'));
    const file = (name, bytes) => ({
      path: name,
      file: new File([noise(bytes)], name),
    });
    const large = (name) => ({
      path: name,
      file: new File(
        Array.from({ length: 60 }, () => noise(MiB)),
        name,
      ),
    });
    let told;
    const run = async (files, until) => {
      told = undefined;
      const work = call(
        'import',
        '/',
        feed(files),
        proxy((progress) => void (told = progress)),
      );
      work.catch(() => undefined);
      while ((told?.done ?? 0) < until) await sleep(2);
      return work;
    };
    void run([file('first.txt', 1000), large('kept.bin')], 12 * MiB);
    while ((told?.done ?? 0) < 12 * MiB) await sleep(2);
    await call('sync');
    const during = {
      names: await names('/'),
      found: (await call('search', 'repl', 9)).entries,
    };
    const rollBack = await problem(call('rollBack', 'none'));
    const save = await problem(call('save', 'packed'));
    await end();
    await start();
    const replaced = await call('open', { kind: 'stored', name: 'cut' });
    const old = await text('/kept.bin');
    void run([large('new.bin')], 12 * MiB);
    while (!(told?.at === '/new.bin' || told?.at === 'new.bin') || told.done < 12 * MiB)
      await sleep(2);
    await call('sync');
    await end();
    await start();
    const opened = await call('open', { kind: 'stored', name: 'cut' });
    const left = await names('/');
    const { problems } = await call('verify', true);
    await call('import', '/', feed([file('last.txt', 5)]));
    await call('close');
    const later = await call('open', { kind: 'stored', name: 'cut' });
    return {
      during,
      rollBack,
      save,
      old,
      left,
      problems,
      told: [replaced, opened, later].map((one) => one.unfinished ?? null),
    };
  }, MiB);
  assert.deepEqual(seen.during, {
    names: ['first.txt', 'kept.bin'],
    found: [],
  });
  assert.deepEqual([seen.rollBack, seen.save], ['busy', 'busy']);
  assert.equal(seen.old, 'what was there');
  assert.deepEqual(seen.left, ['first.txt', 'kept.bin']);
  assert.deepEqual(seen.problems, []);
  assert.deepEqual(seen.told, [{ files: 1 }, { files: 1 }, null]);
});

engineVisit('a map that is closed during an import keeps what it had', {}, async ({ page }) => {
  const seen = await page.evaluate(async (MiB) => {
    await call('create', 'shut');
    await call('write', '/kept.bin', new TextEncoder().encode('what was there'));
    const file = new File(
      Array.from({ length: 60 }, () => noise(MiB)),
      'kept.bin',
    );
    let told;
    const work = problem(
      call(
        'import',
        '/',
        feed([{ path: 'kept.bin', file }]),
        proxy((one) => void (told = one)),
      ),
    );
    while ((told?.done ?? 0) < 12 * MiB) await sleep(2);
    await call('close');
    const ended = await work;
    const opened = await call('open', { kind: 'stored', name: 'shut' });
    const first = [await text('/kept.bin'), await names('/'), opened.unfinished ?? null];
    await call('acceptUnfinished');
    await call('close');
    const again = await call('open', { kind: 'stored', name: 'shut' });
    return {
      ended,
      first,
      again: again.unfinished ?? null,
      report: await call('verify', true),
    };
  }, MiB);
  assert.equal(seen.ended, 'aborted');
  assert.deepEqual(seen.first, ['what was there', ['kept.bin'], { files: 0 }]);
  assert.equal(seen.again, null);
  assert.deepEqual(seen.report.problems, []);
});

engineVisit('closing ends a copy that is being made', {}, async ({ page }) => {
  const seen = await page.evaluate(async (MiB) => {
    await call('create', 'large');
    for (let index = 0; index < 4; index += 1) await call('write', `/${index}`, noise(50 * MiB));
    let told;
    const copy = problem(
      call(
        'save',
        'live',
        proxy((progress) => void (told = progress)),
      ),
    );
    while (told === undefined) await sleep(1);
    await call('close');
    return copy;
  }, MiB);
  assert.equal(seen, 'aborted');
});

engineVisit('times and names that no calendar and no file has', {}, async ({ page }) => {
  const seen = await page.evaluate(async () => {
    await call('create', 'odd');
    const odd = (name, lastModified) => ({
      path: name,
      file: new File(['hello'], name, { lastModified }),
    });
    await call('import', '/', feed([odd('late.txt', 9e15), odd('early.txt', -9e15)]));
    const archive = await call('export', '/');
    const made = await call('create', `${'x'.repeat(79)}\u{1f600}`);
    const listed = (await call('storedMaps')).map(({ name }) => name);
    const address = made.from.address;
    const known = listed.includes(address) && address.isWellFormed();
    await call('deleteStored', address);
    return {
      size: archive.size,
      known,
      left: (await call('storedMaps')).map(({ name }) => name),
    };
  });
  assert.ok(seen.size > 200, 'an archive was made');
  assert.equal(seen.known, true);
  assert.deepEqual(seen.left, ['odd']);
});

engineVisit('what is saved through a link is saved where it leads', {}, async ({ page }) => {
  const file = path.join(folder, 'links.rts.png');
  const map = openMap(file, { mode: 'w+' });
  map.fs.mkdirSync('/real');
  map.fs.writeFileSync('/real/text.txt', 'old');
  map.fs.chmodSync('/real/text.txt', 0o640);
  map.fs.symlinkSync('real/text.txt', '/link');
  map.fs.symlinkSync('loop', '/loop');
  map.close();
  const seen = await page.evaluate(
    async (bytes) => {
      const given = new File([Uint8Array.from(bytes)], 'links.rts.png');
      await call('open', { kind: 'file', file: given });
      await call('editCopy', 'links');
      await call('write', '/link', new TextEncoder().encode('new'));
      const [link, target] = [
        await call('details', '/link'),
        await call('details', '/real/text.txt'),
      ];
      const loop = await problem(call('write', '/loop', new Uint8Array(3)));
      return {
        type: link.type,
        text: await text('/real/text.txt'),
        mode: target.mode & 0o777,
        loop,
      };
    },
    [...readFileSync(file)],
  );
  assert.deepEqual(seen, {
    type: 'symlink',
    text: 'new',
    mode: 0o640,
    loop: 'loop',
  });
});

engineVisit('a snapshot that is looked at twice at once is one view', {}, async ({ page }) => {
  const seen = await page.evaluate(async () => {
    await call('create', 'past');
    await call('write', '/a.txt', new TextEncoder().encode('before'));
    await call('createSnapshot', 'then', '');
    await call('write', '/a.txt', new TextEncoder().encode('after'));
    await Promise.all([call('view', 'then'), call('view', 'then'), call('view', 'then')]);
    const past = await text('/a.txt');
    await call('deleteSnapshot', 'then');
    return [past, await text('/a.txt')];
  });
  assert.deepEqual(seen, ['before', 'after']);
});

engineVisit('what replaces a file is the same file otherwise', {}, async ({ page }) => {
  const file = path.join(folder, 'same.rts.png');
  const map = openMap(file, { mode: 'w+' });
  map.fs.writeFileSync('/one.txt', 'x'.repeat(100_000));
  map.fs.linkSync('/one.txt', '/two.txt');
  map.fs.writeFileSync('/alone.txt', 'alone');
  map.fs.chownSync('/alone.txt', 7, 8);
  map.close();
  const seen = await page.evaluate(
    async (bytes) => {
      const given = new File([Uint8Array.from(bytes)], 'same.rts.png');
      await call('open', { kind: 'file', file: given });
      await call('editCopy', 'same');
      await call('place', '/alone.txt', 5);
      const before = await call('details', '/alone.txt');
      await sleep(20);
      await call('write', '/alone.txt', new TextEncoder().encode('changed'));
      const after = await call('details', '/alone.txt');
      await call('write', '/two.txt', new TextEncoder().encode('for both'));
      const kept = ({ importance, uid, gid, mode, created }) => [
        importance,
        uid,
        gid,
        mode,
        created,
      ];
      const names = await text('/one.txt');
      const links = (await call('details', '/one.txt')).links;
      const { problems } = await call('verify', true);
      return { before: kept(before), after: kept(after), names, links, problems };
    },
    [...readFileSync(file)],
  );
  assert.deepEqual(seen.after, seen.before);
  assert.deepEqual(seen.after.slice(1, 3), [7, 8]);
  assert.deepEqual([seen.names, seen.links, seen.problems], ['for both', 2, []]);
});

const shifted = path.join(folder, 'shifted.rts.png');
{
  const map = openMap(shifted, { mode: 'w+' });
  const bytes = Uint8Array.from(
    { length: 3 * MiB },
    (_, at) => (Math.imul(at, 2654435761) >>> 13) & 255,
  );
  map.fs.writeFileSync('/data.bin', bytes);
  map.close();
}
let shift = 0;
engineVisit(
  'a server that sends other parts than those it is asked for',
  {
    before(request, response) {
      if (request.url !== '/shifted') return false;
      const all = readFileSync(shifted);
      const [, first, last] = /bytes=(\d+)-(\d+)/.exec(request.headers.range).map(Number);
      const from = first > 100_000 ? first - shift : first;
      const part = all.subarray(from, from + Math.min(last, all.length - 1) - first + 1);
      response.writeHead(206, {
        'Content-Type': 'image/png',
        'Content-Range': `bytes ${from}-${from + part.length - 1}/${all.length}`,
      });
      response.end(part);
      return true;
    },
  },
  async ({ page, server }) => {
    await page.evaluate((url) => call('open', { kind: 'url', url }), `${server.origin}/shifted`);
    shift = 4096;
    const read = () => page.evaluate(() => problem(call('read', '/data.bin', 0, 3 << 20)));
    assert.equal(await read(), 'server-error');
    shift = 0;
    assert.equal(await read(), 'none');
  },
);
