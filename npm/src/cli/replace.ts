/**
 * Files that appear whole or not at all: written beside their place under a passing name, synced,
 * and renamed. What a killed process left under such a name is removed by the next one.
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';

import { MapLock } from '../lock.js';
import { syncDirectory } from '../storage-node.js';
import { EXIT } from './exit-codes.js';
import { attempt, Failure, fieldsOf } from './failure.js';

const SUFFIXES = ['', '-wal', '-lock', '-pack'];

/** A place for a new file. */
export class Replacement {
  /** Where the user wants the file. */
  readonly target: string;
  /** Where it is written. */
  readonly temporary: string;
  readonly #replace: boolean;
  readonly #lock: MapLock | undefined;

  /**
   * @param replace an existing file may be replaced; else it is a failure
   * @throws a failure with exit code 10 when the file exists and must not be replaced, and with 6
   *   when the map there is in use
   */
  constructor(target: string, replace: boolean) {
    this.target = attempt('cannot write', target, () => resolveTarget(target));
    this.#replace = replace;
    const exists = fs.existsSync(this.target);
    if (exists && !replace) throw taken(target);
    if (exists && !fs.statSync(this.target).isFile()) {
      throw new Failure(
        EXIT.exists,
        'cannot replace',
        target,
        'it is not a regular file',
        'choose another name',
        { reason: 'exists', code: 'EEXIST' },
      );
    }
    // A map that somebody works on must not be pulled away from under them.
    this.#lock = exists
      ? attempt('cannot replace', target, () =>
          MapLock.acquire(this.target, { program: 'aetherflow', mode: 'w' }),
        )
      : undefined;
    attempt('cannot write', target, () => {
      sweep(this.target);
    });
    this.temporary = `${this.target}.${process.pid}-${randomBytes(4).toString('hex')}.part`;
  }

  /** Puts the finished file into its place. */
  commit(): void {
    attempt('cannot write', this.target, () => {
      const descriptor = fs.openSync(this.temporary, 'r+');
      try {
        fs.fsyncSync(descriptor);
      } finally {
        fs.closeSync(descriptor);
      }
      if (this.#replace) {
        fs.renameSync(this.temporary, this.target);
        // The log belonged to what was replaced.
        fs.rmSync(`${this.target}-wal`, { force: true });
      } else {
        this.#moveWithoutReplacing();
      }
      syncDirectory(this.target);
    });
    this.#lock?.release();
  }

  #moveWithoutReplacing(): void {
    try {
      fs.linkSync(this.temporary, this.target);
    } catch (error) {
      const { code } = fieldsOf(error);
      if (code === 'EEXIST') throw taken(this.target);
      // Filesystems without hard links.
      if (fs.existsSync(this.target)) throw taken(this.target);
      fs.renameSync(this.temporary, this.target);
      return;
    }
    fs.unlinkSync(this.temporary);
  }

  /** Removes what was written so far; the place is as it was. */
  discard(): void {
    for (const suffix of SUFFIXES) fs.rmSync(this.temporary + suffix, { force: true });
    this.#lock?.release();
  }
}

/** Follows a link to the file that is meant; a link into nowhere is an ordinary new file. */
function resolveTarget(target: string): string {
  try {
    return fs.realpathSync(target);
  } catch (error) {
    if (fieldsOf(error).code !== 'ENOENT') throw error;
    return path.join(fs.realpathSync(path.dirname(target)), path.basename(target));
  }
}

/** Removes what processes that are gone left beside `target`. */
function sweep(target: string): void {
  const directory = path.dirname(target);
  const prefix = `${path.basename(target)}.`;
  for (const name of fs.readdirSync(directory)) {
    if (!name.startsWith(prefix)) continue;
    const match = /^(\d+)-[0-9a-f]{8}\.part(?:-wal|-lock|-pack)?$/u.exec(name.slice(prefix.length));
    if (match !== null && !isAlive(Number(match[1]))) {
      fs.rmSync(path.join(directory, name), { force: true });
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return fieldsOf(error).code === 'EPERM';
  }
}

function taken(target: string): Failure {
  return new Failure(
    EXIT.exists,
    'cannot write',
    target,
    'it exists already',
    'use --force to replace it',
    { reason: 'exists', code: 'EEXIST' },
  );
}

/**
 * Runs `work`; Ctrl-C and termination remove the unfinished file first. Only for work that returns
 * to the event loop now and then: signals are heard there.
 */
export async function interruptible<T>(
  replacement: Replacement,
  work: () => Promise<T>,
): Promise<T> {
  const stop = (signal: NodeJS.Signals): void => {
    replacement.discard();
    process.exit(signal === 'SIGINT' ? EXIT.interrupted : 143);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    return await work();
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}
