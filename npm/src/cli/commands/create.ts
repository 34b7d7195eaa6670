/** `create`: an empty map. */
import type { Command } from 'commander';

import type { EngineOptions } from '../../contract.js';
import { command, outputOf, size as parseSize, WRITE_EXITS } from '../command.js';
import { type CommonOptions, humanCount } from '../output.js';
import { Replacement } from '../replace.js';
import { createSession } from '../session.js';
import { engineSettings, type MapSettingsOptions, settingsOptions } from '../settings.js';

interface Options extends CommonOptions, MapSettingsOptions {
  expectedSize?: number;
}

export function define(): Command {
  const made = command('create', 'Make an empty map', {
    json: { map: 'the map', width: 'pixels', height: 'pixels' },
    exits: WRITE_EXITS,
    examples: [
      ['aetherflow create map.rts.png', 'with the defaults'],
      ['aetherflow create --expected-size 2G --label backup map.rts.png', 'for about 2 GiB'],
    ],
  }).argument('<map>', 'the file to make');
  return settingsOptions(made)
    .option('--expected-size <size>', 'bytes it will hold: decides the width', parseSize)
    .action(run);
}

function run(map: string, options: Options): void {
  const output = outputOf(options);
  const settings = engineSettings(options, options.expectedSize ?? 0);
  const size = makeEmptyMap(map, settings, options.force ?? false);
  if (output.json) output.document({ map, ...size });
  output.done(`${map}: ${humanCount(size.width)} x ${humanCount(size.height)} px`);
}

/** Makes an empty map and returns the size of its picture. */
export function makeEmptyMap(
  map: string,
  settings: EngineOptions,
  replace: boolean,
): { width: number; height: number } {
  const replacement = new Replacement(map, replace);
  try {
    const session = createSession(replacement.temporary, settings);
    const { width, height } = session.raw.info();
    session.close();
    replacement.commit();
    return { width, height };
  } catch (error) {
    replacement.discard();
    throw error;
  }
}
