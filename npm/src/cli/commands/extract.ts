/** `extract`: a map, or parts of it, into a host directory. */
import { type Command, Option } from 'commander';

import { command, outputOf, READ_EXITS, snapshotOption, type ViewOptions } from '../command.js';
import { EXIT } from '../exit-codes.js';
import {
  conflictAt,
  existsFailure,
  firstConflict,
  type ExtractReport,
  Extractor,
  type OverwritePolicy,
} from '../extract.js';
import { displayName, humanDuration, humanSize, type Output, plural } from '../output.js';
import { hostPath, splitPath } from '../paths.js';
import { startProgress } from '../progress.js';
import { ask, canAsk } from '../prompt.js';
import { isDirectory, joinPath, mapPath, type Session, withView } from '../session.js';

export interface ExtractCommandOptions extends ViewOptions {
  force?: boolean;
  skipExisting?: boolean;
  keepGoing?: boolean;
  preserveSpecial?: boolean;
  owners?: boolean;
  xattrs?: boolean;
}

/** What `--json` prints for `extract` and `get`. */
export const EXTRACT_FIELDS = {
  map: 'the map',
  directory: 'where to',
  files: 'files written',
  directories: 'directories written',
  symlinks: 'symbolic links',
  others: 'fifos and devices',
  hardLinks: 'further names of files',
  bytes: 'sum of the file sizes',
  kept: 'existing files kept',
  skipped: 'list of `path`, `why`',
  notes: 'remarks',
  milliseconds: 'time taken',
};

export function define(): Command {
  const made = command('extract', 'Write a map, or parts of it, into a directory', {
    json: EXTRACT_FIELDS,
    exits: [...READ_EXITS, EXIT.noSpace, EXIT.exists, EXIT.partial],
    notes: [
      'Nothing is written outside of the directory: names from the map cannot lead out of it, and',
      'symbolic links that exist there are not followed. Modes, links, times (to the microsecond),',
      'holes and extended attributes are restored; owners as root. Setuid and setgid bits of files',
      'are kept with --preserve-special, or as root.',
    ].join('\n'),
    examples: [
      ['aetherflow extract map.rts.png out', 'everything'],
      [
        'aetherflow extract map.rts.png out /etc /usr/lib',
        'two directories, as out/etc, out/usr/lib',
      ],
      ['aetherflow extract --snapshot monday map.rts.png out', 'as it was in a snapshot'],
      ['aetherflow extract --keep-going map.rts.png out', 'past damage: what can be read'],
    ],
  })
    .argument('<map>', 'the map')
    .argument('<directory>', 'where to write; made when missing')
    .argument('[path...]', 'only these paths of the map')
    .addOption(snapshotOption());
  return overwriteOptions(made)
    .option('--keep-going', 'leave out what cannot be read or written, and end with 11')
    .option('--preserve-special', 'keep setuid and setgid bits of files')
    .option('--no-owners', 'do not set owners (the default unless root)')
    .option('--no-xattrs', 'do not set extended attributes')
    .action(run);
}

/** The options that say what happens to existing files. */
export function overwriteOptions(made: Command): Command {
  return made
    .addOption(new Option('-f, --force', 'replace existing files').conflicts('skipExisting'))
    .option('--skip-existing', 'keep existing files');
}

/** What happens to existing files: by option, by asking, else refused. */
export function overwritePolicy(options: ExtractCommandOptions): OverwritePolicy {
  if (options.force === true) return 'force';
  if (options.skipExisting === true) return 'skip';
  if (!canAsk()) return 'refuse';
  let all = false;
  return (target) => {
    if (all) return true;
    const answer = ask(`aetherflow: replace ${target}?`);
    all = answer === 'all';
    return answer !== 'no';
  };
}

async function run(
  map: string,
  directory: string,
  paths: string[],
  options: ExtractCommandOptions,
): Promise<void> {
  const output = outputOf(options);
  await withView(map, options.snapshot, async (session) => {
    const target = hostPath(directory);
    const overwrite = overwritePolicy(options);
    const wanted = paths.map((path) => namesOf(path));
    const everything = wanted.length === 0 || wanted.some((names) => names.length === 0);
    if (overwrite === 'refuse') {
      for (const names of everything ? [[]] : wanted) refuseConflict(session, target, names);
    }
    const started = performance.now();
    const report = await extractInto(session, target, options, overwrite, output, (extractor) => {
      if (everything) extractor.all();
      else for (const names of wanted) extractor.path(names);
    });
    finishExtract(report, output, { map, directory }, performance.now() - started);
  });
}

/** The components of a path argument; dots mean nothing, dot-dots stay and are never found. */
function namesOf(path: string): Buffer[] {
  return splitPath(mapPath(path)).filter((name) => name.toString('latin1') !== '.');
}

/** Fails where a node of the map would replace something; looks only. */
function refuseConflict(session: Session, target: string | Buffer, names: Buffer[]): void {
  let ino: number | undefined = session.root;
  let path = Buffer.from(target as string);
  for (const name of names) {
    ino = isDirectory(session.stat(ino).mode) ? session.gate.lookup(ino, name) : 0;
    // What is not in the map is told when it is extracted.
    if (ino === 0) return;
    path = Buffer.from(joinPath(path, name));
  }
  // The directory that the user names may itself be reached by a link.
  const conflict =
    names.length === 0 ? firstConflict(session, ino, target) : conflictAt(session, ino, path);
  if (conflict !== undefined) throw existsFailure(displayName(conflict));
}

/** Runs `work` with an extractor and a progress bar. */
export async function extractInto(
  session: Session,
  directory: string | Buffer,
  options: ExtractCommandOptions,
  overwrite: OverwritePolicy,
  output: Output,
  work: (extractor: Extractor) => void,
): Promise<ExtractReport> {
  const isRoot = process.getuid?.() === 0;
  const progress = await startProgress(output, 'extracting', session.raw.info().bytes);
  try {
    const extractor = new Extractor(session, directory, {
      overwrite,
      keepGoing: options.keepGoing ?? false,
      special: (options.preserveSpecial ?? false) || isRoot,
      owners: isRoot && options.owners !== false,
      xattrs: options.xattrs !== false,
      progress: (done) => {
        progress.update(done);
      },
    });
    work(extractor);
    return extractor.finish();
  } finally {
    progress.end();
  }
}

/** Prints what was done; sets the exit code where something was left out. */
export function finishExtract(
  report: ExtractReport,
  output: Output,
  names: { map: string; directory: string },
  took: number,
): void {
  for (const note of report.notes) output.note(note);
  for (const { path, why } of report.skipped) output.warn(`left out ${path}: ${why}`);
  if (output.json) output.document({ ...names, ...report, milliseconds: Math.round(took) });
  const kept = report.kept === 0 ? '' : `, ${plural(report.kept, 'existing file')} kept`;
  const left =
    report.skipped.length === 0 ? '' : `, ${plural(report.skipped.length, 'item')} left out`;
  const count = report.files + report.symlinks + report.others + report.hardLinks;
  output.done(
    `extracted ${plural(count, 'file')} and ${plural(report.directories, 'directory', 'directories')}, ${humanSize(report.bytes)}, to ${names.directory} in ${humanDuration(took)}${kept}${left}`,
  );
  if (report.skipped.length > 0) process.exitCode = EXIT.partial;
}
