/** `find`: nodes of a map that pass all tests. */
import { type Command, InvalidArgumentError, Option } from 'commander';

import {
  collect,
  command,
  integer,
  outputOf,
  READ_EXITS,
  size as parseSize,
  snapshotOption,
  type ViewOptions,
} from '../command.js';
import { nodeDocument, type NodeDocument, zoneOf } from '../describe.js';
import { globExpression } from '../paths.js';
import { type Attributes, isDirectory, mapPath, type Session, TYPE, withView } from '../session.js';

interface Options extends ViewOptions {
  name?: string[];
  iname?: string[];
  path?: string[];
  type?: string;
  size?: SizeTest;
  zone?: string;
  newer?: string;
  maxdepth?: number;
  mindepth?: number;
  empty?: boolean;
  print0?: boolean;
}

type SizeTest = (bytes: number) => boolean;

const TYPES: Readonly<Record<string, number>> = {
  f: TYPE.file,
  d: TYPE.directory,
  l: TYPE.link,
  p: TYPE.fifo,
  c: TYPE.character,
  b: TYPE.block,
  s: TYPE.socket,
};

export function define(): Command {
  return command('find', 'Find files in a map', {
    json: { map: 'the map', entries: 'list of nodes' },
    exits: READ_EXITS,
    notes:
      'All tests must hold. Tests may be written with one dash as well, as find(1) does: -name.',
    examples: [
      ["aetherflow find map.rts.png --name '*.rs'", 'by name'],
      ['aetherflow find map.rts.png /var --type f --size +1M', 'files larger than 1 MiB'],
      ['aetherflow find map.rts.png --zone hot', 'what lies in the centre'],
      ['aetherflow find map.rts.png --newer /etc/hosts', 'changed after another file'],
    ],
  })
    .argument('<map>', 'the map')
    .argument('[path...]', 'where to start', ['/'])
    .option('--name <glob>', 'the name fits; may be repeated: one of them', collect)
    .option('--iname <glob>', 'as --name, upper and lower case alike', collect)
    .option('--path <glob>', 'the whole path fits (** also takes slashes)', collect)
    .addOption(
      new Option(
        '--type <letter>',
        'f file, d directory, l link, p fifo, c b device, s socket',
      ).choices(Object.keys(TYPES)),
    )
    .option('--size <size>', 'larger (+64k), smaller (-64k) or exactly (64k)', sizeTest)
    .addOption(
      new Option('--zone <zone>', 'its data lies in this zone').choices([
        'hot',
        'warm',
        'temperate',
        'cool',
        'cold',
      ]),
    )
    .option('--newer <path>', 'changed after this path of the map')
    .option('--empty', 'empty files and directories')
    .option('--maxdepth <levels>', 'no deeper than this', integer(0, 4096))
    .option('--mindepth <levels>', 'not above this', integer(0, 4096))
    .option('--print0', 'end each path with NUL instead of a line break')
    .addOption(snapshotOption())
    .action(run);
}

function sizeTest(text: string): SizeTest {
  const sign = /^[+-]/u.exec(text)?.[0];
  const bound = parseSize(sign === undefined ? text : text.slice(1));
  if (!Number.isFinite(bound)) throw new InvalidArgumentError('a size is needed');
  if (sign === '+') return (bytes) => bytes > bound;
  if (sign === '-') return (bytes) => bytes < bound;
  return (bytes) => bytes === bound;
}

interface Candidate {
  readonly path: Buffer;
  readonly name: Buffer;
  readonly attributes: Attributes;
}

type Test = (candidate: Candidate) => boolean;

async function run(map: string, paths: string[], options: Options): Promise<void> {
  const output = outputOf(options);
  await withView(map, options.snapshot, (session) => {
    const passes = tests(session, options);
    const documents: NodeDocument[] = [];
    const consider = (path: Buffer, name: Buffer, ino: number, depth: number): void => {
      if (depth < (options.mindepth ?? 0)) return;
      const candidate = { path, name, attributes: session.stat(ino) };
      if (!passes.every((test) => test(candidate))) return;
      if (output.json) documents.push(nodeDocument(session, path, candidate.attributes));
      else if (options.print0 === true) output.bytes(Buffer.concat([path, Buffer.from([0])]));
      else output.line(output.name(path));
    };
    for (const argument of paths) {
      const path = mapPath(argument);
      const start = session.resolve(path, false);
      const name = path.subarray(path.lastIndexOf(0x2f) + 1);
      consider(path, name, start, 0);
      const deepest = options.maxdepth ?? Infinity;
      if (deepest === 0 || !isDirectory(session.stat(start).mode)) continue;
      for (const node of session.walk(start, path, deepest)) {
        consider(node.path, node.name, node.ino, node.depth);
      }
    }
    if (output.json) output.document({ map, entries: documents });
  });
}

function tests(session: Session, options: Options): Test[] {
  const list: Test[] = [];
  const names = [
    ...(options.name ?? []).map((glob) => globExpression(glob)),
    ...(options.iname ?? []).map((glob) => globExpression(glob, { insensitive: true })),
  ];
  if (names.length > 0) {
    list.push(({ name }) => names.some((expression) => expression.test(name.toString('utf8'))));
  }
  const wholes = (options.path ?? []).map((glob) => globExpression(glob));
  if (wholes.length > 0) {
    list.push(({ path }) => wholes.some((expression) => expression.test(path.toString('utf8'))));
  }
  if (options.type !== undefined) {
    const type = TYPES[options.type];
    list.push(({ attributes }) => (attributes.mode & TYPE.mask) === type);
  }
  const { size } = options;
  if (size !== undefined) {
    list.push(({ attributes }) => !isDirectory(attributes.mode) && size(attributes.size));
  }
  if (options.newer !== undefined) {
    const than = session.stat(session.resolve(mapPath(options.newer))).mtime;
    list.push(({ attributes: { mtime } }) =>
      mtime.seconds === than.seconds
        ? mtime.nanoseconds > than.nanoseconds
        : mtime.seconds > than.seconds,
    );
  }
  if (options.empty === true) {
    list.push(({ attributes }) =>
      isDirectory(attributes.mode)
        ? session.gate.entries(attributes.ino).length === 0
        : (attributes.mode & TYPE.mask) === TYPE.file && attributes.size === 0,
    );
  }
  if (options.zone !== undefined) {
    const { zone } = options;
    list.push(({ attributes }) => zoneOf(session, attributes.ino) === zone);
  }
  return list;
}
