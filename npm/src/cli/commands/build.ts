/** `build`: a directory tree becomes a map. */
import * as fs from 'node:fs';
import type { Command } from 'commander';

import { hostTree } from '../build/sources.js';
import type { SourceTrouble } from '../build/walker.js';
import { collect, command, integer, outputOf, WRITE_EXITS } from '../command.js';
import { EXIT, exitCodeOf } from '../exit-codes.js';
import { attempt, Failure, fieldsOf, whyOf } from '../failure.js';
import {
  type CommonOptions,
  displayName,
  humanDuration,
  humanSize,
  type Output,
  plural,
} from '../output.js';
import { globExpression, hostPath } from '../paths.js';
import { startProgress } from '../progress.js';
import { interruptible, Replacement } from '../replace.js';
import { createSession } from '../session.js';
import { engineSettings, type MapSettingsOptions, settingsOptions } from '../settings.js';
import { packInto } from './pack.js';

interface Options extends CommonOptions, MapSettingsOptions {
  exclude?: string[];
  jobs?: number;
  keepGoing?: boolean;
  packed?: boolean;
  xattrs: boolean;
}

export function define(): Command {
  const made = command('build', 'Turn a directory tree into a map', {
    json: {
      source: 'the directory',
      map: 'the map',
      files: 'files',
      directories: 'directories below the root',
      symlinks: 'symbolic links',
      others: 'fifos, devices, sockets',
      hardLinks: 'further names of files',
      bytes: 'sum of the file sizes',
      sharedBytes: 'bytes stored once with the same content elsewhere',
      attributes: 'extended attributes',
      mapBytes: 'apparent size of the map',
      diskBytes: 'bytes it takes on the disk',
      skipped: 'list of `path`, `why`',
      milliseconds: 'time taken',
    },
    exits: [...WRITE_EXITS, EXIT.partial],
    notes: [
      'Everything is kept: names as bytes, modes, owners, times to the nanosecond, hard and',
      'symbolic links, holes, devices, extended attributes. Files with the same content are stored',
      'once. The map appears when it is complete; until then an existing file stays as it is.',
    ].join('\n'),
    examples: [
      ['aetherflow build ./site site.rts.png', 'a tree becomes a picture'],
      [
        "aetherflow build --exclude 'node_modules' --exclude '*.log' . map.rts.png",
        'not everything',
      ],
      ['aetherflow build --level 12 --packed ./site site.rts.png', 'small, for sharing'],
      ['aetherflow build --rules rules.txt ./site site.rts.png', 'with your own importance'],
    ],
  })
    .argument('<source>', 'the directory')
    .argument('<map>', 'the file to make');
  return settingsOptions(made)
    .option('--exclude <glob>', 'leave out; a name, or a path that starts with /', collect)
    .option('--jobs <count>', 'threads that compress; default: one per core', integer(1, 256))
    .option('--keep-going', 'leave out what cannot be read, and end with 11')
    .option('--packed', 'make the packed form')
    .option('--no-xattrs', 'leave extended attributes out')
    .action(run);
}

async function run(source: string, map: string, options: Options): Promise<void> {
  const output = outputOf(options);
  const started = performance.now();
  // Loading the pipeline starts nothing yet.
  const { importTree, SourceFailure } = await import('../build/pipeline.js');
  const replacement = new Replacement(map, options.force ?? false);
  try {
    await interruptible(replacement, async () => {
      // The map may lie inside of its own source; it and what stands beside it are not part of it.
      const skip = new Set<string>();
      for (const suffix of ['', '-lock', '-wal']) {
        const file = replacement.target + suffix;
        const there = fs.statSync(file, { bigint: true, throwIfNoEntry: false });
        if (there !== undefined) skip.add(`${there.dev}:${there.ino}`);
      }
      const { tree, attributes } = attempt('cannot read', source, () =>
        hostTree(hostPath(source), {
          excluded: exclusion(options.exclude ?? []),
          skip,
          xattrs: options.xattrs,
          output,
        }),
      );
      const [first] = tree.troubles;
      if (first !== undefined && options.keepGoing !== true) throw unreadable(first);
      const session = createSession(replacement.temporary, engineSettings(options, tree.bytes));
      const progress = await startProgress(output, 'building', tree.bytes);
      const troubles = [...tree.troubles];
      try {
        const { mode, uid, gid } = tree.root;
        session.setOwner(session.root, mode, uid, gid);
        const { report, troubles: more } = await importTree(
          session,
          session.root,
          tree,
          attributes,
          {
            compression: options.compression,
            level: options.level,
            jobs: options.jobs ?? 0,
            keepGoing: options.keepGoing ?? false,
            existing: 'refuse',
            base: Buffer.from('/'),
            progress: (done, total) => {
              progress.update(done, total);
            },
          },
        );
        troubles.push(...more);
        progress.end();
        if (options.packed === true) {
          const packed = await packInto(session, replacement, output);
          session.close();
          fs.renameSync(packed, replacement.temporary);
        } else {
          session.close();
        }
        replacement.commit();
        finish(source, map, report, troubles, performance.now() - started, output);
      } catch (error) {
        progress.end();
        session.abandon();
        if (error instanceof SourceFailure) throw unreadable(error.trouble);
        throw error;
      }
    });
  } catch (error) {
    replacement.discard();
    throw error;
  }
}

type Report = Awaited<ReturnType<typeof import('../build/pipeline.js').importTree>>['report'];

function finish(
  source: string,
  map: string,
  report: Report,
  troubles: SourceTrouble[],
  took: number,
  output: Output,
): void {
  const skipped = troubles.map(({ path, error }) => ({
    path: displayName(Buffer.from(path as string)),
    why: whyOf(error),
  }));
  const stat = fs.statSync(map);
  const diskBytes = stat.blocks * 512;
  for (const { path, why } of skipped) output.warn(`left out ${path}: ${why}`);
  if (output.json) {
    output.document({
      source,
      map,
      ...report,
      mapBytes: stat.size,
      diskBytes,
      skipped,
      milliseconds: Math.round(took),
    });
  }
  const names = report.files + report.symlinks + report.others + report.hardLinks;
  output.done(
    `${map}: ${plural(names, 'file')} in ${plural(report.directories + 1, 'directory', 'directories')}, ${humanSize(report.bytes)} stored in ${humanSize(diskBytes)}, in ${humanDuration(took)}`,
  );
  if (skipped.length > 0) {
    output.warn(`${plural(skipped.length, 'item')} left out`);
    process.exitCode = EXIT.partial;
  }
}

function unreadable({ path, error }: SourceTrouble): Failure {
  const fields = fieldsOf(error);
  return new Failure(
    exitCodeOf(fields.reason, fields.code),
    'cannot read',
    displayName(Buffer.from(path as string)),
    whyOf(error),
    'nothing was written; repeat with --keep-going to leave it out',
    fields,
  );
}

/** True for what an exclusion names: a name anywhere, or a whole path where it holds a slash. */
function exclusion(patterns: string[]): (mapPath: string) => boolean {
  if (patterns.length === 0) return () => false;
  const names: RegExp[] = [];
  const paths: RegExp[] = [];
  for (const pattern of patterns) {
    const plain = pattern.replace(/\/+$/u, '');
    if (plain.includes('/')) {
      paths.push(globExpression(plain.startsWith('/') ? plain : `/${plain}`));
    } else {
      names.push(globExpression(plain));
    }
  }
  return (mapPath) => {
    const name = mapPath.slice(mapPath.lastIndexOf('/') + 1);
    return (
      names.some((expression) => expression.test(name)) ||
      paths.some((expression) => expression.test(mapPath))
    );
  };
}
