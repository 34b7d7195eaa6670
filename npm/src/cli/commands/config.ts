/** `config`: the settings that are stored in a map. */
import type { Command } from 'commander';

import type { MapSettings } from '../../contract.js';
import { command, outputOf, WRITE_EXITS } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { Failure } from '../failure.js';
import { type CommonOptions, plural } from '../output.js';
import { readRules } from '../settings.js';
import { MOUNTED_FIELD, mountedField, tellMounted, withWhole } from '../whole.js';

export function define(): Command {
  return command('config', 'Show or change the settings of a map', {
    json: {
      map: 'the map',
      compression: 'off, zone or all',
      level: 'zstd level',
      parity: 'true when parity is kept',
      label: 'label',
      rules: 'list of [pattern, importance], those of the map before the built-in ones',
      ...MOUNTED_FIELD,
    },
    exits: WRITE_EXITS,
    notes: [
      'Settings: compression=off|zone|all, level=1..19, parity=on|off, label=TEXT, rules=FILE (the',
      'rules of the file take the place of those of the map; an empty name removes them).',
      'They are stored in the map and hold for what is written from now on.',
    ].join('\n'),
    examples: [
      ['aetherflow config map.rts.png', 'what is set'],
      ['aetherflow config map.rts.png level=9 label=archive', 'change two settings'],
      ['aetherflow config map.rts.png rules=my.rules', 'other rules of importance'],
    ],
  })
    .argument('<map>', 'the map')
    .argument('[setting...]', 'settings to change, as key=value')
    .action(run);
}

async function run(map: string, words: string[], options: CommonOptions): Promise<void> {
  const output = outputOf(options);
  const change = changeOf(words);
  await withWhole(map, words.length === 0 ? 'r' : 'r+', async (whole) => {
    if (words.length > 0) await whole.configure(change);
    const settings = await whole.settings();
    if (output.json) {
      output.document({ map, ...settings, ...mountedField(whole) });
      return;
    }
    const { paint } = output;
    const line = (title: string, text: string): void => {
      output.line(`${paint.faint(title.padStart(11))}  ${text}`);
    };
    line('compression', settings.compression);
    line('level', String(settings.level));
    line('parity', settings.parity ? 'on' : 'off');
    line('label', output.name(settings.label));
    line('rules', settings.rules.length === 0 ? 'the built-in ones' : '');
    for (const [pattern, importance] of settings.rules) {
      output.line(`${''.padStart(13)}${output.name(pattern)} ${paint.faint(String(importance))}`);
    }
    if (words.length > 0) output.done(`${plural(words.length, 'setting')} changed`);
    tellMounted(whole, output);
  });
}

const KEYS = ['compression', 'level', 'parity', 'label', 'rules'] as const;

function wrong(word: string, why: string): Failure {
  return new Failure(EXIT.usage, 'cannot set', word, why, 'see `aetherflow config --help`');
}

function changeOf(words: readonly string[]): Partial<MapSettings> {
  const change: Partial<MapSettings> = {};
  for (const word of words) {
    const at = word.indexOf('=');
    const key = KEYS.find((one) => one === word.slice(0, at));
    if (at === -1) throw wrong(word, 'key=value is needed');
    if (key === undefined) throw wrong(word, `there is no such setting; ${KEYS.join(', ')} are`);
    Object.assign(change, { [key]: valueOf(key, word.slice(at + 1), word) });
  }
  return change;
}

function valueOf(key: (typeof KEYS)[number], text: string, word: string): unknown {
  switch (key) {
    case 'compression':
      if (!['off', 'zone', 'all'].includes(text)) throw wrong(word, 'off, zone or all is needed');
      return text;
    case 'level': {
      const level = Number(text);
      if (!/^\d+$/u.test(text) || level < 1 || level > 19) {
        throw wrong(word, 'a whole number from 1 to 19 is needed');
      }
      return level;
    }
    case 'parity':
      if (['on', 'true', 'yes'].includes(text)) return true;
      if (['off', 'false', 'no'].includes(text)) return false;
      throw wrong(word, 'on or off is needed');
    case 'label':
      if (Buffer.byteLength(text) > 255) throw wrong(word, 'a label has 255 bytes at most');
      return text;
    case 'rules':
      return text === '' ? [] : readRules(text);
  }
}
