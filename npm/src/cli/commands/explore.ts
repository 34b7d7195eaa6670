/** `explore`: the map in the browser, served from here until Ctrl-C. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';

import { realPathOf } from '../../backing.js';
import { lockedError, lockHolder } from '../../lock.js';
import { FileStorage } from '../../storage-node.js';
import { RawMap } from '../../wasm.js';
import { command, integer, outputOf, READ_EXITS } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { openBrowser } from '../explorer/browser.js';
import { serve, type Serving, type Site } from '../explorer/server.js';
import { attempt, Failure, failureOf, fieldsOf, whyOf } from '../failure.js';
import type { CommonOptions, Output } from '../output.js';
import { withSession } from '../session.js';
import { withWhole } from '../whole.js';

interface Options extends CommonOptions {
  port: number;
  host: string;
  open?: boolean;
}

export function define(): Command {
  return command('explore', 'Walk through a map in the browser', {
    json: {
      map: 'the map',
      url: 'the address of the page, with the map open',
      mapUrl: 'the address of the map itself, which can be read by ranges',
      host: 'where the server listens',
      port: 'its port',
      pid: 'this process; SIGINT or SIGTERM ends it',
      inUse: 'true when another process had the map open',
    },
    exits: READ_EXITS,
    notes: [
      'The page reads the map as it is on the disk. Nothing is changed, but a map that was not closed',
      'is recovered first. While another process works in it, reload the page to see what has been',
      'written since.',
      '',
      'Only this machine can reach the server unless --host says otherwise; then everybody who reaches',
      'the machine can read the map. With --json the document is printed once the server is ready.',
    ].join('\n'),
    examples: [
      ['aetherflow explore map.rts.png', 'prints the address; Ctrl-C ends it'],
      ['aetherflow explore --open map.rts.png', 'in the browser at once'],
      ['aetherflow explore --port 8080 map.rts.png', 'at an address that stays the same'],
    ],
  })
    .argument('<map>', 'the map')
    .option(
      '--port <number>',
      'the port to listen at, 0 for any that is free',
      integer(0, 65535),
      0,
    )
    .option('--host <name>', 'the name or address to listen at', '127.0.0.1')
    .option('--open', 'open it in the browser')
    .action(run);
}

async function run(map: string, options: Options): Promise<void> {
  const output = outputOf(options);
  const page = pageFolder();
  const inUse = await makeReady(map, output);
  const serving = await listen({
    page,
    map: realPathOf(map),
    name: path.basename(path.resolve(map)),
    host: options.host,
    port: options.port,
  });
  try {
    const stopped = untilStopped(serving);
    const { url, mapUrl, port } = serving;
    if (output.json) {
      output.document({ map, url, mapUrl, host: options.host, port, pid: process.pid, inUse });
    } else {
      output.line(url);
    }
    if (!serving.local) output.note('everybody who reaches this machine can read the map');
    output.done('Ctrl-C ends it');
    if (options.open === true) {
      const trouble = await Promise.race([openBrowser(url), stopped]);
      if (typeof trouble === 'string') output.warn(`no browser was opened: ${trouble}`);
    }
    await stopped;
  } finally {
    await serving.stop();
  }
}

/** The folder of the built page: the one of this package, unless a variable names another. */
function pageFolder(): string {
  const named = process.env['AETHERFLOW_EXPLORER'];
  const own = fileURLToPath(new URL('../../explorer', import.meta.url));
  const folder = named === undefined || named === '' ? own : path.resolve(named);
  if (fs.existsSync(path.join(folder, 'index.html'))) return folder;
  throw new Failure(
    EXIT.unsupported,
    'cannot show',
    'the explorer',
    `there is no page in ${folder}`,
    'build it with `cargo xtask web`, or install the published package, which carries it',
    { reason: 'no-explorer' },
  );
}

/**
 * Sees to it that the file alone is the map, as far as that can be: what a crash left in its log is
 * recovered, what a mount holds back is written. Returns whether somebody has it open.
 */
async function makeReady(map: string, output: Output): Promise<boolean> {
  const real = attempt('cannot open', map, () => realPathOf(map));
  const holder = attempt('cannot open', map, () => lockHolder(real));
  if (holder === undefined) {
    await recover(map, output);
    return false;
  }
  attempt('cannot open', map, () => {
    const storage = new FileStorage(real, 'r');
    try {
      RawMap.detectOn(storage);
    } finally {
      storage.close();
    }
  });
  output.note(
    `${whyOf(lockedError(real, holder))}; the page shows what has reached the file, so reload it now and then`,
  );
  if (holder.socket !== null) {
    try {
      await withWhole(map, 'r', (whole) => whole.sync(true));
    } catch (error) {
      output.note(`not everything has reached the file: ${whyOf(error)}`);
    }
  }
  return true;
}

async function recover(map: string, output: Output): Promise<void> {
  const unclean = await withSession(map, 'r', ({ raw }) => raw.info().recovered);
  if (!unclean) return;
  try {
    await withSession(map, 'r+', () => undefined);
  } catch (error) {
    // On a medium that cannot be written the page shows the last checkpoint.
    const { exit, why } = failureOf(error, 'cannot recover', map);
    if (exit !== EXIT.readOnly && exit !== EXIT.locked) throw error;
    output.note(`what was synced last cannot be shown, since the map cannot be recovered: ${why}`);
  }
}

async function listen(site: Site): Promise<Serving> {
  const { host, port } = site;
  try {
    return await serve(site);
  } catch (error) {
    const { code } = fieldsOf(error);
    const what = 'cannot listen at';
    const where = `${host}${port === 0 ? '' : ` port ${port}`}`;
    switch (code) {
      case 'EADDRINUSE': {
        const advice = 'choose another with --port, or leave the option out';
        const fields = { code, reason: 'port-in-use' };
        throw new Failure(EXIT.failure, what, where, 'another program uses it', advice, fields);
      }
      case 'EADDRNOTAVAIL':
      case 'ENOTFOUND':
      case 'EAI_AGAIN': {
        const why = 'this machine has no such address';
        throw new Failure(EXIT.usage, what, where, why, 'leave out --host', {
          code,
          reason: 'usage',
        });
      }
      case 'EACCES': {
        const why = 'the system does not let you use it';
        const advice = 'choose a port above 1023';
        throw new Failure(EXIT.readOnly, what, where, why, advice, { code, reason: 'access' });
      }
      default:
        throw failureOf(error, what, where);
    }
  }
}

/** Resolves once a signal has ended the server; a second one does not wait. */
function untilStopped(serving: Serving): Promise<void> {
  return new Promise((resolve, reject) => {
    let told = false;
    const end = (): void => {
      if (told) process.exit(EXIT.interrupted);
      told = true;
      serving.stop().then(() => {
        for (const signal of SIGNALS) process.off(signal, end);
        resolve();
      }, reject);
    };
    for (const signal of SIGNALS) process.on(signal, end);
  });
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
