/** `mount`: a directory that shows a map. */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { constants } from 'node:os';
import type { Command } from 'commander';

import { mountMap, type MountOptions, prepareMount } from '../../mount/mount.js';
import { collect, command, outputOf, size as parseSize, WRITE_EXITS } from '../command.js';
import { failureOf } from '../failure.js';
import type { CommonOptions } from '../output.js';
import { engineSettings, type NewMapOptions, newMapOptions } from '../settings.js';
import { makeEmptyMap } from './create.js';

interface Options extends CommonOptions, NewMapOptions {
  options?: string[];
  ro?: boolean;
  allowOther?: boolean;
  snapshot?: string;
  cacheSize?: number;
  log?: string;
  foreground?: boolean;
  create?: boolean;
}

export function define(): Command {
  const made = command('mount', 'Mount a map at an empty directory', {
    json: {
      map: 'absolute path of the map',
      mountPoint: 'absolute path of the directory',
      pid: 'the process that serves it',
      socket: 'its control socket',
      readOnly: 'true when nothing can be changed',
    },
    exits: WRITE_EXITS,
    notes: [
      'Needs Linux, /dev/fuse, and fusermount3 (package fuse3) where you are not root. The program',
      'aetherflow-fuse goes on in the background until the map is unmounted.',
      '',
      'Options for -o: ro, rw, allow_other, allow_root, uid=N, gid=N, sync, async, noatime, dev, nodev,',
      'suid, nosuid, exec, noexec, cache_size=SIZE, threads=N, commit=SECONDS, nomaintenance.',
    ].join('\n'),
    examples: [
      ['aetherflow mount map.rts.png ~/map', 'work in it as in any directory'],
      ['aetherflow mount --create new.rts.png ~/new', 'made when it is missing'],
      ['aetherflow mount --snapshot monday map.rts.png ~/old', 'an older state, to look at'],
      ['aetherflow unmount ~/map', 'write everything and let go'],
    ],
  })
    .argument('<map>', 'the map')
    .argument('<directory>', 'an empty directory')
    .option('-o, --options <list>', 'mount options, separated by commas', collect)
    .option('--ro', 'nothing can be changed')
    .option('--allow-other', 'let other users in as well')
    .option('--snapshot <name>', 'this snapshot instead of the present, read-only')
    .option('--cache-size <size>', 'memory for caches; default 64M', parseSize)
    .option('--log <file>', 'write what happens to this file')
    .option('--foreground', 'do not go into the background; Ctrl-C unmounts')
    .option('--create', 'make an empty map when there is none, with the options that follow');
  return newMapOptions(made).action(run);
}

async function run(map: string, directory: string, options: Options): Promise<void> {
  const output = outputOf(options);
  const wanted: MountOptions = {
    readOnly: options.ro,
    allowOther: options.allowOther,
    snapshot: options.snapshot,
    cacheSize: options.cacheSize,
    options: options.options,
    log: options.log,
  };
  if (options.create === true && !fs.existsSync(map)) {
    makeEmptyMap(map, engineSettings(options, 0), false);
  }
  if (options.foreground === true) {
    await attemptMount(map, directory, () => stay(map, directory, wanted, output.json));
    return;
  }
  const mounted = await attemptMount(map, directory, () => mountMap(map, directory, wanted));
  const { mountPoint, pid, socket, readOnly } = mounted;
  if (output.json) output.document({ map: mounted.map, mountPoint, pid, socket, readOnly });
  const how = readOnly ? ', read-only' : '';
  output.done(`${map} mounted at ${output.name(mountPoint)} (process ${pid})${how}`);
}

async function attemptMount<T>(
  map: string,
  directory: string,
  action: () => Promise<T>,
): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw failureOf(error, 'cannot mount', `${map} at ${directory}`);
  }
}

/** Runs the helper on this terminal until it ends, and ends as it did. */
async function stay(
  map: string,
  directory: string,
  options: MountOptions,
  json: boolean,
): Promise<void> {
  const { program, words } = await prepareMount(map, directory, options);
  await new Promise<void>((resolve, reject) => {
    const child = spawn(program, [...words, ...(json ? ['--json'] : [])], { stdio: 'inherit' });
    // The terminal tells the helper itself; other signals are handed on. Either way it unmounts.
    const wait = (): void => undefined;
    const handOn = (): void => {
      child.kill('SIGTERM');
    };
    process.on('SIGINT', wait);
    process.on('SIGTERM', handOn);
    process.on('SIGHUP', handOn);
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      process.off('SIGINT', wait);
      process.off('SIGTERM', handOn);
      process.off('SIGHUP', handOn);
      process.exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
      resolve();
    });
  });
}
