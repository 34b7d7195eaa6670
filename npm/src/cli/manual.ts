/** The reference part of docs/CLI.md, made from the commands themselves. */
import type { Command } from 'commander';

import { jsonFields } from './command.js';
import { EXIT_CODES } from './exit-codes.js';
import { COMMANDS } from './registry.js';

/** Markdown for all commands and exit codes. */
export async function manual(): Promise<string> {
  const parts: string[] = ['## Exit codes', '', '| code | meaning |', '| --- | --- |'];
  for (const [code, meaning] of EXIT_CODES) parts.push(`| ${code} | ${meaning} |`);
  parts.push('', '## Commands', '');
  for (const entry of COMMANDS) {
    const made = (await entry.load()).define();
    section(parts, made, entry.name, 3);
    for (const inner of made.commands) section(parts, inner, `${entry.name} ${inner.name()}`, 4);
  }
  return `${parts.join('\n').trimEnd()}\n`;
}

function section(parts: string[], made: Command, name: string, level: number): void {
  const usage = made.usage().trim();
  parts.push(`${'#'.repeat(level)} ${name}`, '', `${made.description()}.`, '');
  parts.push('```', `aetherflow ${name} ${usage}`, '```', '');
  for (const alias of made.aliases()) parts.push(`Also called \`${alias}\`.`, '');
  if (made.registeredArguments.length > 0 || made.options.length > 0) {
    parts.push('| | |', '| --- | --- |');
    for (const argument of made.registeredArguments) {
      const term = argument.required ? `<${argument.name()}>` : `[${argument.name()}]`;
      parts.push(row(argument.variadic ? `${term}...` : term, argument.description));
    }
    for (const option of made.options) {
      const choices = option.argChoices === undefined ? '' : `: ${option.argChoices.join(', ')}`;
      const usual =
        option.defaultValue === undefined || typeof option.defaultValue === 'boolean'
          ? ''
          : ` (default ${String(option.defaultValue)})`;
      parts.push(row(option.flags, `${option.description}${choices}${usual}`));
    }
    parts.push('');
  }
  const fields = jsonFields.get(made);
  if (fields === undefined) return;
  parts.push('With `--json`:', '', '| field | meaning |', '| --- | --- |');
  for (const [field, meaning] of Object.entries(fields)) {
    const name = field.replace(/\?$/u, '');
    parts.push(`| \`${name}\` | ${meaning}${field.endsWith('?') ? ' (may be absent)' : ''} |`);
  }
  parts.push('');
}

function row(term: string, meaning: string): string {
  const cell = (text: string): string => text.replace(/\|/gu, '\\|');
  return `| \`${cell(term)}\` | ${cell(meaning)} |`;
}
