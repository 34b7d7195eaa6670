/** Finding the native helper that mounts maps. */
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { AetherFlowError } from '../errors.js';

const PROGRAM = 'aetherflow-fuse';
/** Names the helper to use; then nothing else is tried. */
const VARIABLE = 'AETHERFLOW_FUSE';

/** The package that brings the helper for this system. */
export function helperPackage(): string {
  return `${PROGRAM}-${process.platform}-${process.arch}`;
}

/**
 * Path of the program `aetherflow-fuse`: the one that the variable AETHERFLOW_FUSE names, else the
 * one of the package for this system, else the newest built in a checkout, else the first of PATH.
 * @throws ENOENT (reason 'no-helper') with all places that were looked at
 */
export function findHelper(environment: NodeJS.ProcessEnv = process.env): string {
  const named = environment[VARIABLE];
  if (named !== undefined && named !== '') {
    if (isProgram(named)) return path.resolve(named);
    throw missing(named, `${VARIABLE} names ${named}, which is no program that can be started`);
  }
  const looked: string[] = [];
  for (const place of [inPackage, inCheckout, inPath]) {
    const { found, where } = place(environment);
    if (found !== undefined) return found;
    looked.push(where);
  }
  const advice =
    process.platform === 'linux'
      ? `install the package ${helperPackage()}, or name the program in ${VARIABLE}`
      : 'mounting needs Linux';
  throw missing(PROGRAM, `looked for ${PROGRAM} in ${looked.join(', ')}; ${advice}`);
}

interface Search {
  readonly found: string | undefined;
  /** For the message. */
  readonly where: string;
}

function inPackage(): Search {
  const name = helperPackage();
  const where = `the package ${name}`;
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    const program = path.join(path.dirname(manifest), 'bin', PROGRAM);
    return { found: isProgram(program) ? program : undefined, where };
  } catch {
    return { found: undefined, where };
  }
}

/** Built from source: this file then lies in `npm/dist/mount` of the clone. */
function inCheckout(environment: NodeJS.ProcessEnv): Search {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  if (!fs.existsSync(path.join(root, 'Cargo.toml'))) {
    return { found: undefined, where: 'the target folder (this is no checkout)' };
  }
  const target = path.resolve(root, environment['CARGO_TARGET_DIR'] ?? 'target');
  const built = ['release', 'debug']
    .map((profile) => path.join(target, profile, PROGRAM))
    .filter(isProgram)
    .sort((a, b) => fs.statSync(b).mtimeMs - fs.statSync(a).mtimeMs);
  return { found: built[0], where: `${target}/release and debug` };
}

function inPath(environment: NodeJS.ProcessEnv): Search {
  const found = programInPath(PROGRAM, environment);
  return { found, where: 'PATH' };
}

/** The first program called `name` in the search path. */
export function programInPath(
  name: string,
  environment: NodeJS.ProcessEnv = process.env,
): string | undefined {
  return (environment['PATH'] ?? '')
    .split(path.delimiter)
    .filter((folder) => path.isAbsolute(folder))
    .map((folder) => path.join(folder, name))
    .find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

function missing(where: string, why: string): AetherFlowError {
  return new AetherFlowError('ENOENT', {
    syscall: 'spawn',
    path: where,
    reason: 'no-helper',
    sentence: `the program that mounts maps is missing: ${why}`,
  });
}
