/** `verify`: reads everything and says what is wrong, what it touches and what to do. */
import { type Command, Option } from 'commander';

import type { VerifyProblem, VerifyReport } from '../../contract.js';
import { command, outputOf, READ_EXITS } from '../command.js';
import { EXIT } from '../exit-codes.js';
import {
  type CommonOptions,
  humanCount,
  humanDuration,
  humanSize,
  type Output,
  plural,
} from '../output.js';
import { startProgress } from '../progress.js';
import { MOUNTED_FIELD, mountedField, tellMounted, withWhole } from '../whole.js';

interface Options extends CommonOptions {
  deep?: boolean;
}

export function define(): Command {
  return command('verify', 'Check a map and say what is wrong', {
    json: {
      map: 'the map',
      deep: 'true with --deep',
      ok: 'true when nothing is wrong',
      clustersChecked: 'clusters read',
      bytesChecked: 'their bytes',
      files: 'files checked',
      directories: 'directories checked',
      frames: 'compressed frames',
      framesDecodedTwice: 'frames both decoders agreed on',
      parityStripes: 'stripes checked',
      parityStale: 'whether parity is behind',
      problems:
        'list of `kind`, `message`, `severity` (lost, suspect, harmless), `advice`, and where known `path`, `offset`, `cluster`, `expected`, `found` (checksums)',
      problemsTruncated: 'true when there are more than listed',
      milliseconds: 'time taken',
      ...MOUNTED_FIELD,
    },
    exits: [...READ_EXITS, EXIT.problems],
    notes: [
      'Reads every cluster and checks it against its checksum, and the structures against each',
      'other. --deep also decodes every compressed frame with two decoders and compares them.',
    ].join('\n'),
    examples: [
      ['aetherflow verify map.rts.png', 'the usual check'],
      ['aetherflow verify --deep map.rts.png', 'and every compressed byte'],
      ['aetherflow verify --json map.rts.png | jq .problems', 'for a script'],
    ],
  })
    .argument('<map>', 'the map')
    .addOption(new Option('--deep', 'decode every compressed frame with both decoders'))
    .action(run);
}

async function run(map: string, options: Options): Promise<void> {
  const output = outputOf(options);
  await withWhole(map, 'r', async (whole) => {
    const deep = options.deep ?? false;
    const started = performance.now();
    const progress = await startProgress(output, 'verifying', 1, 'count');
    let report: VerifyReport;
    try {
      report = await whole.verify(deep, progress.update);
    } finally {
      progress.end();
    }
    const took = performance.now() - started;
    const milliseconds = Math.round(took);
    if (output.json) {
      output.document({ map, deep, ...report, milliseconds, ...mountedField(whole) });
    } else {
      print(report, deep, took, output);
    }
    tellMounted(whole, output);
    if (!report.ok) process.exitCode = EXIT.problems;
  });
}

function print(report: VerifyReport, deep: boolean, took: number, output: Output): void {
  const { paint } = output;
  if (!output.quiet) {
    const line = (title: string, text: string): void => {
      output.line(`${paint.faint(title.padStart(10))}  ${text}`);
    };
    line(
      'checked',
      `${plural(report.clustersChecked, 'cluster')} (${humanSize(report.bytesChecked)}), ${plural(report.files, 'file')}, ${plural(report.directories, 'directory', 'directories')}, in ${humanDuration(took)}`,
    );
    const twice = deep ? `, ${humanCount(report.framesDecodedTwice)} decoded twice` : '';
    line('frames', `${humanCount(report.frames)}${twice}`);
    const stale = report.parityStale ? ', stale: brought up to date when the map is written' : '';
    line('parity', `${plural(report.parityStripes, 'stripe')}${stale}`);
  }
  if (report.ok && report.problems.length === 0) {
    output.line(`${paint.faint('result'.padStart(10))}  ${paint.good('no problems')}`);
    return;
  }
  const lost = report.problems.filter(({ severity }) => severity === 'lost').length;
  const suspect = report.problems.filter(({ severity }) => severity === 'suspect').length;
  const harmless = report.problems.length - lost - suspect;
  const more = report.problemsTruncated ? ' (and more)' : '';
  const counts = `${plural(report.problems.length, 'problem')}${more}: ${lost} lost, ${suspect} suspect, ${harmless} harmless`;
  output.line(`${paint.faint('result'.padStart(10))}  ${paint.bad(counts)}`);
  for (const problem of report.problems) printProblem(problem, output);
}

function printProblem(problem: VerifyProblem, output: Output): void {
  const { paint } = output;
  const severity = problem.severity === 'harmless' ? paint.warn : paint.bad;
  output.line();
  output.line(`${severity(problem.severity)}  ${problem.message}`);
  const facts: string[] = [];
  if (problem.path !== undefined) facts.push(`path ${output.name(problem.path)}`);
  if (problem.offset !== undefined) facts.push(`offset ${problem.offset}`);
  if (problem.cluster !== undefined) facts.push(`cluster ${problem.cluster}`);
  if (problem.expected !== undefined) facts.push(`expected ${checksum(problem.expected)}`);
  if (problem.found !== undefined) facts.push(`found ${checksum(problem.found)}`);
  if (facts.length > 0) output.line(`      ${facts.join(', ')}`);
  output.line(`      ${paint.faint(problem.advice)}`);
}

function checksum(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}
