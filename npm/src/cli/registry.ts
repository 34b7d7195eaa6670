/** The commands, in the order help prints them. A command's module is loaded when it is needed. */
import type { CommandModule } from './command.js';

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly group: string;
  readonly load: () => Promise<CommandModule>;
  /** Another name that is understood. */
  readonly alias?: string;
}

const MAKE = 'Make a map';
const LOOK = 'Look inside';
const CHANGE = 'Change';
const MOUNT = 'Work in it as a directory';
const WHOLE = 'The map as a whole';

export const COMMANDS: readonly CommandEntry[] = [
  entry(MAKE, 'build', 'Turn a directory tree into a map', () => import('./commands/build.js')),
  entry(MAKE, 'create', 'Make an empty map', () => import('./commands/create.js')),
  entry(LOOK, 'info', 'Show what a map is and how full it is', () => import('./commands/info.js')),
  entry(
    LOOK,
    'explore',
    'Walk through a map in the browser',
    () => import('./commands/explore.js'),
  ),
  entry(LOOK, 'ls', 'List directories', () => import('./commands/ls.js')),
  entry(LOOK, 'tree', 'Draw directories as a tree', () => import('./commands/tree.js')),
  entry(LOOK, 'stat', 'Show all facts about files', () => import('./commands/stat.js')),
  entry(LOOK, 'find', 'Find files', () => import('./commands/find.js')),
  entry(LOOK, 'zone', 'Show the zones, or where files lie', () => import('./commands/zone.js')),
  entry(LOOK, 'locate', 'Show where the bytes of a file lie', () => import('./commands/locate.js')),
  entry(LOOK, 'cat', 'Write files to stdout', () => import('./commands/cat.js')),
  entry(LOOK, 'get', 'Copy files out of a map', () => import('./commands/get.js')),
  entry(LOOK, 'extract', 'Write a map into a directory', () => import('./commands/extract.js')),
  entry(CHANGE, 'put', 'Copy files into a map', () => import('./commands/put.js')),
  entry(CHANGE, 'cp', 'Copy inside a map, sharing data', () => import('./commands/cp.js')),
  entry(CHANGE, 'mv', 'Rename or move inside a map', () => import('./commands/mv.js')),
  entry(CHANGE, 'rm', 'Remove files', () => import('./commands/rm.js')),
  entry(CHANGE, 'mkdir', 'Make directories', () => import('./commands/mkdir.js')),
  entry(CHANGE, 'ln', 'Make links', () => import('./commands/ln.js')),
  entry(MOUNT, 'mount', 'Mount a map at a directory', () => import('./commands/mount.js')),
  {
    ...entry(MOUNT, 'unmount', 'Unmount a map', () => import('./commands/unmount.js')),
    alias: 'umount',
  },
  entry(MOUNT, 'mounts', 'List what is mounted', () => import('./commands/mounts.js')),
  entry(MOUNT, 'sync', 'Make what was written durable', () => import('./commands/sync.js')),
  entry(MOUNT, 'stats', 'Show counters', () => import('./commands/stats.js')),
  entry(MOUNT, 'cache', 'Show or change the caches', () => import('./commands/cache.js')),
  entry(WHOLE, 'verify', 'Check a map', () => import('./commands/verify.js')),
  entry(WHOLE, 'pack', 'Make the packed form, for sharing', () => import('./commands/pack.js')),
  entry(WHOLE, 'unpack', 'Make the live form again', () => import('./commands/unpack.js')),
  entry(WHOLE, 'snapshot', 'Keep, compare, restore states', () => import('./commands/snapshot.js')),
  entry(WHOLE, 'compress', 'Store data again, smaller', () => import('./commands/compress.js')),
  entry(WHOLE, 'config', 'Show or change the settings', () => import('./commands/config.js')),
  entry(WHOLE, 'render', 'Draw a picture with a legend', () => import('./commands/render.js')),
  entry(WHOLE, 'completion', 'Print a shell completion', () => import('./commands/completion.js')),
];

function entry(
  group: string,
  name: string,
  summary: string,
  load: () => Promise<CommandModule>,
): CommandEntry {
  return { name, summary, group, load };
}
