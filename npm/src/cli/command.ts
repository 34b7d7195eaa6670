/**
 * What all commands have in common: options, help that ends with examples and exit codes, and
 * the argument parsers they share.
 */
import { Command, InvalidArgumentError, Option } from 'commander';

import { EXIT, exitCodeHelp, type ExitCode } from './exit-codes.js';
import { type CommonOptions, Output } from './output.js';

/** A module in `commands/`. */
export interface CommandModule {
  define(): Command;
}

export interface CommandSpecification {
  /** Pairs of a command line and what it does. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  /** Exit codes beside success, failure, usage and interruption. */
  readonly exits: readonly ExitCode[];
  /**
   * Fields of the document that `--json` prints, with their meaning; a name that ends in `?` may be
   * absent. Set for commands that print facts.
   */
  readonly json?: Readonly<Record<string, string>>;
  /** Text between the options and the examples. */
  readonly notes?: string;
}

/** Exit codes of every command that opens a map for reading. */
export const READ_EXITS: readonly ExitCode[] = [
  EXIT.notAMap,
  EXIT.damaged,
  EXIT.unsupported,
  EXIT.locked,
  EXIT.readOnly,
  EXIT.notFound,
  EXIT.io,
];

/** Exit codes of every command that changes a map. */
export const WRITE_EXITS: readonly ExitCode[] = [...READ_EXITS, EXIT.noSpace, EXIT.exists];

/** Documented fields by command, for the manual. */
export const jsonFields = new WeakMap<Command, Readonly<Record<string, string>>>();

/** A command with the common options and a complete help text. */
export function command(
  name: string,
  summary: string,
  specification: CommandSpecification,
): Command {
  const made = new Command(name);
  if (specification.json !== undefined) jsonFields.set(made, specification.json);
  made
    .description(summary)
    .helpOption('--help', 'show this help')
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ outputError: () => undefined });
  made.addHelpText('after', () => {
    const width = Math.max(...specification.examples.map(([line]) => line.length));
    const examples = specification.examples.map(
      ([line, meaning]) => `  $ ${line.padEnd(width)}  ${meaning}`,
    );
    const codes: readonly ExitCode[] = [
      EXIT.ok,
      EXIT.failure,
      EXIT.usage,
      ...specification.exits,
      EXIT.interrupted,
    ];
    const notes = specification.notes === undefined ? '' : `\n${specification.notes}\n`;
    return `${notes}\nExamples:\n${examples.join('\n')}\n${exitCodeHelp(codes)}`;
  });
  if (specification.json !== undefined) made.option('--json', 'print one JSON document on stdout');
  made.option('-q, --quiet', 'print nothing but results and failures');
  made.addOption(
    new Option('--color <when>', 'use colour').choices(['auto', 'always', 'never']).default('auto'),
  );
  return made;
}

/** The option that turns a reading command to a snapshot. */
export function snapshotOption(): Option {
  return new Option('--snapshot <name>', 'look at this snapshot instead of the present');
}

export interface ViewOptions extends CommonOptions {
  snapshot?: string;
}

/** Output for the options of a command. */
export function outputOf(options: CommonOptions): Output {
  return new Output(options);
}

/** A whole number between two bounds. */
export function integer(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^-?\d+$/u.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`a whole number from ${least} to ${most} is needed`);
    }
    return value;
  };
}

const SUFFIXES: Readonly<Record<string, number>> = {
  '': 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
};

/** A size in bytes: `4096`, `64k`, `1.5G`. */
export function size(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/iu.exec(text);
  const factor = match === null ? undefined : SUFFIXES[(match[2] ?? '').toLowerCase()];
  if (match === null || factor === undefined) {
    throw new InvalidArgumentError('a size such as 4096, 64k, 1.5G is needed');
  }
  return Math.round(Number(match[1]) * factor);
}

/** An octal mode: `644`, `0755`. */
export function octalMode(text: string): number {
  if (!/^[0-7]{1,5}$/u.test(text)) throw new InvalidArgumentError('an octal mode is needed');
  return parseInt(text, 8) & 0o7777;
}

/** A width of the picture in pixels. */
export function width(text: string): number {
  const value = Number(text);
  if (![256, 512, 1024, 2048, 4096, 8192].includes(value)) {
    throw new InvalidArgumentError('a power of two from 256 to 8192 is needed');
  }
  return value;
}

/** Collects the values of an option that may be repeated. */
export function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}
