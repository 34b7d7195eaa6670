/** Options of `create` and `build` that are stored in the new map. */
import * as fs from 'node:fs';

import { type Command, Option } from 'commander';

import type { EngineOptions } from '../contract.js';
import { integer, width as parseWidth } from './command.js';
import { EXIT } from './exit-codes.js';
import { attempt, Failure } from './failure.js';
import { hostPath } from './paths.js';

export interface NewMapOptions {
  width?: number;
  compression: 'off' | 'zone' | 'all';
  level: number;
  parity: boolean;
  label?: string;
  rules?: string;
}

export interface MapSettingsOptions extends NewMapOptions {
  force?: boolean;
}

/** Rules of its own that a map may have. */
const MAX_RULES = 256;

/** Options of commands that make a map in a new file, or in the place of an old one. */
export function settingsOptions(made: Command): Command {
  return newMapOptions(made).option('-f, --force', 'replace an existing file');
}

/** Options that are stored in a new map. */
export function newMapOptions(made: Command): Command {
  return made
    .option('--width <pixels>', 'width of the picture, 256 to 8192; default: by size', parseWidth)
    .addOption(
      new Option('--compression <policy>', 'what is compressed; zone spares the hot and warm zones')
        .choices(['off', 'zone', 'all'])
        .default('all'),
    )
    .option('--level <level>', 'zstd level, 1 to 19', integer(1, 19), 3)
    .option('--no-parity', 'do not keep parity clusters up to date')
    .option('--label <text>', 'a label, up to 255 bytes')
    .option('--rules <file>', 'importance by path: lines of `pattern importance`, # comments');
}

/** What the engine needs of these options. */
export function engineSettings(options: NewMapOptions, expectedSize: number): EngineOptions {
  return {
    compression: options.compression,
    level: options.level,
    parity: options.parity,
    expectedSize,
    ...(options.width === undefined ? {} : { width: options.width }),
    ...(options.label === undefined ? {} : { label: options.label }),
    ...(options.rules === undefined ? {} : { rules: readRules(options.rules) }),
  };
}

/** Reads a rules file: `pattern importance` per line, the last word is the importance. */
export function readRules(file: string): [pattern: string, importance: number][] {
  const text = attempt('cannot read rules', file, () => fs.readFileSync(hostPath(file), 'utf8'));
  const rules: [string, number][] = [];
  for (const [index, line] of text.split(/\r?\n/u).entries()) {
    const content = line.trim();
    if (content === '' || content.startsWith('#')) continue;
    const match = /^(\S.*?)\s+(\d{1,3})$/u.exec(content);
    const importance = Number(match?.[2]);
    const pattern = match?.[1];
    if (pattern === undefined || !(importance <= 255)) {
      throw new Failure(
        EXIT.usage,
        'cannot use rules',
        `${file}, line ${index + 1}`,
        'a pattern and an importance from 0 to 255 are needed',
        'for example: .log$ 20',
      );
    }
    rules.push([pattern, importance]);
  }
  if (rules.length > MAX_RULES) {
    throw new Failure(EXIT.usage, 'cannot use rules', file, `more than ${MAX_RULES} rules`);
  }
  return rules;
}
