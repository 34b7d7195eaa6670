#!/usr/bin/env node
/**
 * The `aetherflow` command: finds the command, loads only its module, turns failures into one line
 * and an exit code.
 */
import * as fs from 'node:fs';

import { Command, CommanderError } from 'commander';

import { command } from './command.js';
import { EXIT, EXIT_CODES } from './exit-codes.js';
import { Failure, failureOf, OutputClosed } from './failure.js';
import { writeAll, writeError } from './output.js';
import { COMMANDS } from './registry.js';

const words = process.argv.slice(2);
/** Tests of find(1) that may be written with one dash. */
const FIND_TESTS =
  /^-(?:name|iname|path|type|size|zone|newer|empty|maxdepth|mindepth|print0|snapshot)$/u;

async function main(): Promise<void> {
  const program = new Command('aetherflow');
  program
    .description('A crash-safe filesystem that lives in a PNG')
    .usage('<command> [options] <map> ...')
    .helpOption('--help', 'show this help; `aetherflow <command> --help` for a command')
    .version(packageVersion(), '-V, --version', 'show the version')
    .exitOverride()
    .configureOutput({ outputError: () => undefined, writeOut: printOut })
    .configureHelp({ subcommandTerm: (inner) => inner.name() })
    .showSuggestionAfterError(true);
  const wanted = words[0] === 'help' ? words[1] : words.find((word) => !word.startsWith('-'));
  for (const { name, summary, group, load, alias } of COMMANDS) {
    const made =
      name === wanted || (alias !== undefined && alias === wanted)
        ? (await load()).define()
        : command(name, summary, { examples: [], exits: [] });
    made.summary(summary).helpGroup(`${group}:`).configureOutput({ writeOut: printOut });
    for (const inner of made.commands) inner.configureOutput({ writeOut: printOut });
    program.addCommand(made);
  }
  program.helpCommand('help [command]', 'Show help for a command');
  program.addHelpText('after', overview);
  if (words.length === 0) {
    program.outputHelp();
    process.exitCode = EXIT.usage;
    return;
  }
  const given = wanted === 'find' ? words.map((word) => word.replace(FIND_TESTS, '-$&')) : words;
  await program.parseAsync(given, { from: 'user' });
}

function overview(): string {
  const codes = EXIT_CODES.map(
    ([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`,
  ).join('\n');
  return `
Examples:
  $ aetherflow build ./site site.rts.png        a directory tree becomes a picture
  $ aetherflow ls -lh site.rts.png /            look inside
  $ aetherflow cat site.rts.png /index.html     read a file
  $ aetherflow extract site.rts.png out         get everything back

Exit codes:
${codes}
`;
}

function printOut(text: string): void {
  writeAll(1, Buffer.from(text));
}

function packageVersion(): string {
  const text = fs.readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version?: string };
  return version ?? 'unknown';
}

/** Commander's complaint as a failure of our own. */
function usageFailure(error: CommanderError): Failure {
  const message = error.message
    .replace(/^error: /u, '')
    .replace(/\n/gu, ' ')
    .trim();
  const name = words.find((word) =>
    COMMANDS.some((entry) => entry.name === word || entry.alias === word),
  );
  const help = name === undefined ? 'aetherflow --help' : `aetherflow ${name} --help`;
  return new Failure(EXIT.usage, 'wrong usage', '', message, `see \`${help}\``);
}

function report(thrown: unknown): void {
  if (thrown instanceof OutputClosed) {
    // Nobody reads on: what was asked for is done.
    process.exitCode = EXIT.ok;
    return;
  }
  if (thrown instanceof CommanderError && thrown.exitCode === 0) {
    process.exitCode = EXIT.ok;
    return;
  }
  const failure =
    thrown instanceof CommanderError
      ? usageFailure(thrown)
      : failureOf(thrown, 'cannot', words[0] ?? '');
  process.exitCode = failure.exit;
  if (words.includes('--json')) writeError(JSON.stringify(failure.document()));
  else writeError(failure.line());
}

try {
  await main();
} catch (error) {
  try {
    report(error);
  } catch {
    process.exitCode = EXIT.failure;
  }
}
