/** What lies below an open map, whatever keeps it. */
import type { HostStorage } from '../engine-types';

export interface Backing {
  readonly kind: 'stored' | 'memory' | 'file' | 'url';
  /** Name, file name or URL. */
  readonly address: string;
  readonly title: string;
  readonly writable: boolean;
  readonly kept: boolean;
  readonly storage: HostStorage;
  readonly log: HostStorage | undefined;
  /** A storage some of whose bytes may have to be fetched. */
  readonly remote?: Remote;
  /** Lets go of the files; after a clean close the log goes away. */
  release(clean: boolean): Promise<void>;
}

/** A storage that can say what it lacks instead of waiting for it. */
export interface Remote {
  readonly size: number;
  /** Bytes and requests so far. */
  readonly fetched: number;
  readonly requests: number;
  /** From now on a read of what is missing fails at once, and what it lacks is noted. */
  collect(): void;
  /** Ends that; returns whether anything was lacking. */
  settle(): boolean;
  /** Gives up what was noted. */
  forgetMissing(): void;
  /** Fetches all that was noted, in parallel; returns how many bytes that took. */
  fetchMissing(): Promise<number>;
}

/** The error a storage throws for a read past the end, known to the engine by its code. */
export function endOfFile(offset: number, length: number): Error {
  const error = new Error(`the file ends before ${length} bytes at offset ${offset}`);
  return Object.assign(error, { code: 'EOF' });
}
