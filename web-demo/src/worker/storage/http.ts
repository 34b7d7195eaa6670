/**
 * A picture on a server, read by ranges.
 *
 * The engine reads synchronously, so what is missing is fetched by a synchronous request, which
 * workers may make. That costs a round trip for each piece; where it is known that much will be
 * read, the read is tried first with {@link HttpStorage.collect}, which fails at once and notes
 * what is missing, and all of that is then fetched in parallel.
 *
 * Rules: every answer is compared with the first one, so that bytes of two versions of a file are
 * never mixed. `If-Range` would do the same but send the whole new file, and asks other origins
 * for permission first.
 */
import { EngineProblem } from '../../engine/problem';
import { sleep, Slots } from '../pace';
import { aborted, throughEngine } from '../problems';
import type { Remote } from './backing';
import { blocksOf, missingRuns, type Range } from './blocks';
import { CachedStorage } from './cached';
import { answerProblem, changed, otherRange, unreachable } from './http-problems';

const BUDGET = 64 << 20;
/** Requests at a time; browsers open six connections to a server that speaks HTTP/1. */
const PARALLEL = 6;
/** What may be otherwise a moment later. */
const PASSING = new Set(['unreachable', 'server-error']);
const RETRY_DELAY = 400;

/** What tells one version of a file from another; empty where a server does not say. */
export interface Version {
  tag: string;
  modified: string;
}

export function versionOf(header: (name: string) => string | null): Version {
  return { tag: header('ETag') ?? '', modified: header('Last-Modified') ?? '' };
}

/** The length of the whole file in `Content-Range: bytes a-b/length`. */
export function wholeLength(contentRange: string | null): number | undefined {
  const length = /\/(\d+)\s*$/.exec(contentRange ?? '')?.[1];
  return length === undefined ? undefined : Number(length);
}

/** Whether an answer is the range that was asked for; where other origins do not see it, it is believed. */
function isRange(contentRange: string | null, from: number, to: number): boolean {
  const [, first, last] = /^\s*bytes\s+(\d+)-(\d+)\//i.exec(contentRange ?? '') ?? [];
  return first === undefined || (Number(first) === from && Number(last) === to - 1);
}

/** What a read throws while missing ranges are collected. */
const missingMarker = Object.assign(new Error('not fetched yet'), { code: 'EIO' });

export class HttpStorage extends CachedStorage implements Remote {
  readonly url: string;
  readonly #version: Version;
  readonly #noticed: () => void;
  readonly #abort = new AbortController();
  readonly #missing: Range[] = [];
  /** Blocks that are on their way. */
  readonly #coming = new Map<number, Promise<void>>();
  readonly #slots = new Slots(PARALLEL);
  #collecting = false;
  #lacked = false;
  fetched = 0;
  requests = 0;

  /** @param first what the first request brought, from the start of the file */
  constructor(url: string, size: number, version: Version, first: Uint8Array, noticed: () => void) {
    super(size, BUDGET);
    this.url = url;
    this.#version = version;
    this.#noticed = noticed;
    this.#take(0, first);
  }

  #take(from: number, bytes: Uint8Array): void {
    this.cache.putRun(from, bytes);
    this.fetched += bytes.length;
    this.requests += 1;
    this.#noticed();
  }

  collect(): void {
    this.#collecting = true;
    this.#lacked = false;
  }

  settle(): boolean {
    this.#collecting = false;
    return this.#lacked;
  }

  protected override missing(range: Range): void {
    if (this.#abort.signal.aborted) throw throughEngine(aborted());
    if (!this.#collecting) return;
    this.#missing.push(range);
    this.#lacked = true;
    throw missingMarker;
  }

  forgetMissing(): void {
    this.#missing.length = 0;
  }

  async fetchMissing(): Promise<number> {
    const ranges = this.#missing.splice(0);
    // What somebody else is fetching already is waited for, not fetched again.
    const others = new Set<Promise<void>>();
    const isComing = (block: number): boolean => {
      const coming = this.#coming.get(block);
      if (coming !== undefined) others.add(coming);
      return coming !== undefined;
    };
    const runs = missingRuns(ranges, this.cache, this.size, isComing);
    const only = runs.length === 1 ? runs[0] : undefined;
    // Several scattered pieces are no sequence.
    if (only !== undefined) {
      const ahead = [this.ahead(only)];
      runs[0] = missingRuns(ahead, this.cache, this.size, isComing)[0] ?? only;
    }
    const mine = runs.map((run) => this.#bring(run));
    await Promise.all([...mine, ...others]);
    return runs.reduce((sum, { from, to }) => sum + to - from, 0);
  }

  /** Fetches one run into the cache. */
  #bring(run: Range): Promise<void> {
    const bringing = this.#slots.take(() => this.#fetch(run));
    const done = bringing
      .then((bytes) => {
        this.#take(run.from, bytes);
      })
      .finally(() => {
        for (let block = first; block <= last; block += 1) this.#coming.delete(block);
      });
    const [first, last] = blocksOf(run);
    for (let block = first; block <= last; block += 1) this.#coming.set(block, done);
    return done;
  }

  async #fetch(run: Range): Promise<Uint8Array> {
    try {
      return await this.#ask(run);
    } catch (error) {
      // One lost connection is no reason to give up.
      if (!(error instanceof EngineProblem) || !PASSING.has(error.reason)) throw error;
      await sleep(RETRY_DELAY);
      return this.#ask(run);
    }
  }

  async #ask({ from, to }: Range): Promise<Uint8Array> {
    let bytes: Uint8Array;
    try {
      const response = await fetch(this.url, {
        headers: { Range: `bytes=${from}-${to - 1}` },
        cache: 'no-store',
        signal: this.#abort.signal,
      });
      this.#check(response.status, (name) => response.headers.get(name), from, to);
      bytes = new Uint8Array(await response.arrayBuffer());
    } catch (error) {
      if (this.#abort.signal.aborted) throw aborted();
      if (error instanceof TypeError) throw unreachable(this.url, error);
      throw error;
    }
    return this.#whole(bytes, to - from);
  }

  protected override load({ from, to }: Range): Uint8Array {
    const request = new XMLHttpRequest();
    request.open('GET', this.url, false);
    request.responseType = 'arraybuffer';
    request.setRequestHeader('Range', `bytes=${from}-${to - 1}`);
    try {
      request.send();
      this.#check(request.status, (name) => exposed(request, name), from, to);
      const bytes = this.#whole(new Uint8Array(request.response as ArrayBuffer), to - from);
      this.fetched += bytes.length;
      this.requests += 1;
      this.#noticed();
      return bytes;
    } catch (error) {
      throw throughEngine(
        error instanceof DOMException
          ? unreachable(this.url, error)
          : (error as ReturnType<typeof changed>),
      );
    }
  }

  /** Throws unless an answer is a range of the file that was opened. */
  #check(status: number, header: (name: string) => string | null, from: number, to: number): void {
    // 200: the whole file instead of a range, and 416: no such range. Both mean another file.
    if (status === 200 || status === 416) throw changed(this.url);
    if (status !== 206) throw answerProblem(this.url, status);
    const now = versionOf(header);
    const range = header('Content-Range');
    const length = wholeLength(range);
    const before = this.#version;
    if (
      (before.tag !== '' && now.tag !== '' && before.tag !== now.tag) ||
      (before.modified !== '' && now.modified !== '' && before.modified !== now.modified) ||
      (length !== undefined && length !== this.size)
    ) {
      throw changed(this.url);
    }
    if ((header('Content-Encoding') ?? 'identity') !== 'identity' || !isRange(range, from, to)) {
      throw otherRange(this.url);
    }
  }

  #whole(bytes: Uint8Array, length: number): Uint8Array {
    if (bytes.length !== length) throw changed(this.url);
    return bytes;
  }

  close(): void {
    this.#abort.abort();
    this.cache.clear();
  }
}

/** A header, without the console's warning about headers another origin does not expose. */
function exposed(request: XMLHttpRequest, name: string): string | null {
  const line = request
    .getAllResponseHeaders()
    .split('\r\n')
    .find((one) => one.toLowerCase().startsWith(`${name.toLowerCase()}:`));
  return line === undefined ? null : line.slice(name.length + 1).trim();
}
