/** `render`: a picture that explains the map. */
import * as fs from 'node:fs';
import { type Command, Option } from 'commander';

import type { RenderLayer } from '../../contract.js';
import { command, integer, outputOf, READ_EXITS } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { existsFailure } from '../extract.js';
import { attempt } from '../failure.js';
import { type CommonOptions, humanSize } from '../output.js';
import { hostPath } from '../paths.js';
import { withSession } from '../session.js';

interface Options extends CommonOptions {
  layer: RenderLayer;
  size?: number;
  legend: boolean;
  title?: string;
  force?: boolean;
}

const LAYERS: RenderLayer[] = ['raw', 'zones', 'files', 'kinds', 'heat'];

export function define(): Command {
  return command('render', 'Draw a map as a picture with a legend', {
    json: { map: 'the map', out: 'the picture', layer: 'what it shows', bytes: 'its size' },
    exits: [...READ_EXITS, EXIT.noSpace, EXIT.exists],
    examples: [
      ['aetherflow render map.rts.png zones.png --layer zones', 'how the plane is used'],
      [
        'aetherflow render map.rts.png files.png --layer files --size 2048',
        'which file lies where',
      ],
      ['aetherflow render map.rts.png - --layer heat | display', 'to stdout'],
    ],
  })
    .argument('<map>', 'the map')
    .argument('<out>', 'PNG to write, or - for stdout')
    .addOption(new Option('--layer <layer>', 'what to show').choices(LAYERS).default('zones'))
    .option('--size <pixels>', 'longest side of the picture', integer(64, 16384))
    .option('--title <text>', 'a title above the picture')
    .option('--no-legend', 'the plane alone')
    .option('-f, --force', 'replace an existing file')
    .action(run);
}

async function run(map: string, out: string, options: Options): Promise<void> {
  const output = outputOf(options);
  await withSession(map, 'r', (session) => {
    const target = hostPath(out);
    if (out !== '-' && options.force !== true && fs.existsSync(target)) throw existsFailure(out);
    const picture = attempt('cannot render', map, () =>
      session.raw.render(options.layer, {
        legend: options.legend,
        ...(options.size === undefined ? {} : { size: options.size }),
        ...(options.title === undefined ? {} : { title: options.title }),
      }),
    );
    if (out === '-') {
      output.bytes(picture);
      return;
    }
    attempt('cannot write', out, () => {
      fs.writeFileSync(target, picture, { flag: options.force === true ? 'w' : 'wx' });
    });
    if (output.json) {
      output.document({ map, out, layer: options.layer, bytes: picture.length });
    }
    output.done(`${out}: layer ${options.layer}, ${humanSize(picture.length)}`);
  });
}
