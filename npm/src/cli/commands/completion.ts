/** `completion`: completion for bash, zsh and fish, made from the commands themselves. */
import { Argument, Command } from 'commander';

import { command, outputOf } from '../command.js';
import type { CommonOptions } from '../output.js';
import { COMMANDS } from '../registry.js';

/** A command as completion sees it. */
interface Described {
  readonly name: string;
  readonly summary: string;
  readonly options: { flag: string; summary: string; values: readonly string[] }[];
  readonly subcommands: readonly string[];
}

export function define(): Command {
  return command('completion', 'Print a completion script for a shell', {
    exits: [],
    examples: [
      ['source <(aetherflow completion bash)', 'in ~/.bashrc'],
      ['aetherflow completion zsh > ~/.zfunc/_aetherflow', 'a directory of $fpath'],
      ['aetherflow completion fish > ~/.config/fish/completions/aetherflow.fish', 'for fish'],
    ],
  })
    .addArgument(new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']))
    .action(run);
}

async function run(shell: string, options: CommonOptions): Promise<void> {
  const output = outputOf(options);
  const described: Described[] = [];
  for (const entry of COMMANDS) {
    described.push(describe(entry.name, entry.summary, (await entry.load()).define()));
  }
  const scripts: Readonly<Record<string, (commands: readonly Described[]) => string>> = {
    bash,
    zsh,
    fish,
  };
  output.line((scripts[shell] ?? bash)(described).trimEnd());
}

function describe(name: string, summary: string, made: Command): Described {
  const options = new Map<string, Described['options'][number]>();
  for (const part of [made, ...made.commands]) {
    for (const option of part.options) {
      const flag = option.long ?? option.short;
      if (flag === undefined) continue;
      options.set(flag, { flag, summary: option.description, values: option.argChoices ?? [] });
    }
  }
  options.set('--help', { flag: '--help', summary: 'show help', values: [] });
  return {
    name,
    summary,
    options: [...options.values()],
    subcommands: made.commands.map((inner) => inner.name()),
  };
}

function bash(commands: readonly Described[]): string {
  const names = commands.map(({ name }) => name).join(' ');
  const cases = commands.map(({ name, options, subcommands }) => {
    const flags = options.map(({ flag }) => flag).join(' ');
    return `    ${name}) flags='${flags}'; words='${subcommands.join(' ')}' ;;`;
  });
  const values = uniqueValues(commands).map(
    ([flag, list]) =>
      `    ${flag}) COMPREPLY=($(compgen -W '${list.join(' ')}' -- "$word")); return ;;`,
  );
  return `# bash completion for aetherflow
_aetherflow() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} flags='' words=''
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${names} help' -- "$word"))
    return
  fi
  case "$previous" in
${values.join('\n')}
    help) COMPREPLY=($(compgen -W '${names}' -- "$word")); return ;;
    completion) COMPREPLY=($(compgen -W 'bash zsh fish' -- "$word")); return ;;
  esac
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$word")) ;;
    *)
      if [ "$COMP_CWORD" -eq 2 ] && [ -n "$words" ]; then
        COMPREPLY=($(compgen -W "$words" -- "$word"))
      else
        COMPREPLY=($(compgen -f -- "$word"))
      fi ;;
  esac
}
complete -o filenames -F _aetherflow aetherflow aetherflow-cli
`;
}

function zsh(commands: readonly Described[]): string {
  const list = commands.map(({ name, summary }) => `    '${name}:${quoteZsh(summary)}'`).join('\n');
  const cases = commands.map(({ name, options, subcommands }) => {
    const flags = options.map(({ flag, summary, values }) => {
      const choice = values.length === 0 ? '' : `:value:(${values.join(' ')})`;
      return `        '${flag}[${quoteZsh(summary)}]${choice}'`;
    });
    const first = subcommands.length === 0 ? '' : ` '1:command:(${subcommands.join(' ')})'`;
    const shells = name === 'completion' ? " '1:shell:(bash zsh fish)'" : '';
    return `      ${name}) _arguments${first}${shells} '*:file:_files' \\\n${flags.join(' \\\n')} ;;`;
  });
  return `#compdef aetherflow aetherflow-cli
_aetherflow() {
  local -a commands
  commands=(
${list}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
  else
    local command=\${words[2]}
    shift words
    (( CURRENT-- ))
    case $command in
${cases.join('\n')}
    esac
  fi
}
if [ "$funcstack[1]" = _aetherflow ]; then _aetherflow "$@"; else compdef _aetherflow aetherflow aetherflow-cli; fi
`;
}

function fish(commands: readonly Described[]): string {
  const lines = ['# fish completion for aetherflow', 'complete -c aetherflow-cli -w aetherflow'];
  for (const { name, summary } of commands) {
    lines.push(
      `complete -c aetherflow -n __fish_use_subcommand -f -a ${name} -d '${quoteFish(summary)}'`,
    );
  }
  for (const { name, options, subcommands } of commands) {
    const here = `-n '__fish_seen_subcommand_from ${name}'`;
    for (const word of name === 'completion' ? ['bash', 'zsh', 'fish'] : subcommands) {
      lines.push(`complete -c aetherflow ${here} -f -a ${word}`);
    }
    for (const { flag, summary, values } of options) {
      const choice = values.length === 0 ? '' : ` -x -a '${values.join(' ')}'`;
      const long = flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`;
      lines.push(`complete -c aetherflow ${here} ${long}${choice} -d '${quoteFish(summary)}'`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** Options with a fixed list of values; lists of the same option are joined. */
function uniqueValues(commands: readonly Described[]): [flag: string, values: string[]][] {
  const found = new Map<string, Set<string>>();
  for (const { options } of commands) {
    for (const { flag, values } of options) {
      if (values.length === 0) continue;
      const list = found.get(flag) ?? new Set<string>();
      for (const value of values) list.add(value);
      found.set(flag, list);
    }
  }
  return [...found].map(([flag, list]) => [flag, [...list]]);
}

function quoteZsh(text: string): string {
  return text.replace(/'/gu, "'\\''").replace(/[[\]:\\]/gu, '\\$&');
}

function quoteFish(text: string): string {
  return text.replace(/[\\']/gu, '\\$&');
}
