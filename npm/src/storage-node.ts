/**
 * The engine's storage over positional Node calls on one open file.
 *
 * Rules: nothing is buffered here; the views the engine passes lie in wasm memory and are used at
 * once. The log file is made at its first write, so a map that is only read leaves no trace.
 */

import * as fs from 'node:fs';
import { dirname } from 'node:path';
import type { HostStorage } from './contract.js';

function endOfFile(offset: number, length: number): Error {
  const error = new Error(`the file ends before ${length} bytes at offset ${offset}`);
  return Object.assign(error, { code: 'EOF' });
}

function readFully(descriptor: number, offset: number, target: Uint8Array): void {
  let done = 0;
  while (done < target.length) {
    const count = fs.readSync(descriptor, target, done, target.length - done, offset + done);
    if (count === 0) throw endOfFile(offset, target.length);
    done += count;
  }
}

function writeFully(descriptor: number, offset: number, source: Uint8Array): void {
  let done = 0;
  while (done < source.length) {
    done += fs.writeSync(descriptor, source, done, source.length - done, offset + done);
  }
}

/** A file that is open from the start. */
export class FileStorage implements HostStorage {
  readonly #descriptor: number;

  constructor(path: string, flags: string | number, mode = 0o666) {
    this.#descriptor = fs.openSync(path, flags, mode);
  }

  readAt(offset: number, target: Uint8Array): void {
    readFully(this.#descriptor, offset, target);
  }

  writeAt(offset: number, source: Uint8Array): void {
    writeFully(this.#descriptor, offset, source);
  }

  sync(): void {
    fs.fdatasyncSync(this.#descriptor);
  }

  length(): number {
    return fs.fstatSync(this.#descriptor).size;
  }

  setLength(length: number): void {
    fs.ftruncateSync(this.#descriptor, length);
  }

  close(): void {
    fs.closeSync(this.#descriptor);
  }
}

/** The sidecar log: absent until the engine writes to it. */
export class LogStorage implements HostStorage {
  readonly #path: string;
  readonly #writable: boolean;
  #descriptor: number | undefined;

  constructor(path: string, writable: boolean) {
    this.#path = path;
    this.#writable = writable;
    try {
      this.#descriptor = fs.openSync(path, writable ? 'r+' : 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  readAt(offset: number, target: Uint8Array): void {
    if (this.#descriptor === undefined) throw endOfFile(offset, target.length);
    readFully(this.#descriptor, offset, target);
  }

  writeAt(offset: number, source: Uint8Array): void {
    writeFully(this.#open(), offset, source);
  }

  sync(): void {
    if (this.#descriptor !== undefined) fs.fdatasyncSync(this.#descriptor);
  }

  length(): number {
    return this.#descriptor === undefined ? 0 : fs.fstatSync(this.#descriptor).size;
  }

  setLength(length: number): void {
    if (length === 0 && this.#descriptor === undefined) return;
    fs.ftruncateSync(this.#open(), length);
  }

  /** Closes the log; `remove` deletes it, for a map that was closed cleanly. */
  close(remove: boolean): void {
    if (this.#descriptor === undefined) return;
    fs.closeSync(this.#descriptor);
    this.#descriptor = undefined;
    if (remove && this.#writable) fs.rmSync(this.#path, { force: true });
  }

  #open(): number {
    if (this.#descriptor === undefined) {
      this.#descriptor = fs.openSync(this.#path, this.#writable ? 'w+' : 'r');
      if (this.#writable) syncDirectory(this.#path);
    }
    return this.#descriptor;
  }
}

/** Makes a new or renamed name in the directory of `path` durable, where the system can. */
export function syncDirectory(path: string): void {
  try {
    const descriptor = fs.openSync(dirname(path), 'r');
    try {
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
  } catch (error) {
    // Windows and some network filesystems cannot open or sync a directory.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EPERM' && code !== 'EISDIR' && code !== 'EINVAL' && code !== 'EACCES')
      throw error;
  }
}
