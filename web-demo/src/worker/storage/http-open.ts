/** The first request to a server: what it offers, and what to do where it offers too little. */
import type { OnProgress } from '../../engine/contract';
import { Reporter } from '../progress';
import { problem } from '../problems';
import { HttpStorage, versionOf, wholeLength } from './http';
import { answerProblem, noRanges, unreachable, webPage } from './http-problems';

/** Largest file that is downloaded as a whole where a server sends no parts. */
const WHOLE_LIMIT = 256 * 1024 * 1024;

/** Bytes of the first request: whole blocks, in which the engine finds the form and a superblock. */
const FIRST = 64 * 1024;

/** Takes a download piece by piece. */
export interface Sink {
  write(piece: Uint8Array): void;
}

export type Opened = { ranges: HttpStorage } | { whole: true };

/** An address as typed, made absolute. */
export function addressOf(typed: string): string {
  const text = typed.trim();
  const bare = /^[\w-]+(\.[\w-]+)+(:\d+)?\//.test(text);
  let url: URL;
  try {
    url = new URL(bare ? `https://${text}` : text, location.href);
  } catch (error) {
    throw problem('EINVAL', 'invalid-address', 'That is no web address.', undefined, error);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:' && url.protocol !== 'blob:') {
    throw problem(
      'EINVAL',
      'invalid-address',
      `Addresses that begin with ${url.protocol} cannot be opened.`,
      'Use one that begins with https:, or open the file itself.',
    );
  }
  return url.href;
}

/** The last part of an address, for people. */
export function titleOf(url: string): string {
  const { pathname, host } = new URL(url);
  const last = pathname.split('/').findLast((part) => part !== '');
  if (last === undefined) return host;
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

/**
 * Opens `url` by ranges; where the server sends none, the file goes into `sink` as a whole.
 * @param sink makes the sink, once it is known that it is needed
 */
export async function openHttp(
  url: string,
  noticed: () => void,
  sink: () => Promise<Sink>,
  onProgress: OnProgress | undefined,
): Promise<Opened> {
  const abort = new AbortController();
  const ask = async (init: RequestInit): Promise<Response> => {
    try {
      return await fetch(url, { cache: 'no-store', signal: abort.signal, ...init });
    } catch (error) {
      throw unreachable(url, error);
    }
  };
  let response = await ask({ headers: { Range: `bytes=0-${FIRST - 1}` } }).catch(() =>
    // A browser does not even show a part that was compressed on its way, and some servers let
    // other sites read whole files only.
    ask({}),
  );
  if (response.status === 416) {
    throw problem('EINVAL', 'not-a-map', 'The file at that address is empty, so it is not a map.');
  }
  if (response.status !== 200 && response.status !== 206) throw answerProblem(url, response.status);
  if (/^text\/html\b/i.test(response.headers.get('Content-Type') ?? '')) {
    abort.abort();
    throw webPage(url);
  }

  let why: 'ranges' | 'encoding' = 'ranges';
  if (response.status === 206) {
    const header = (name: string): string | null => response.headers.get(name);
    const encoded = (header('Content-Encoding') ?? 'identity') !== 'identity';
    const size = wholeLength(header('Content-Range')) ?? (await lengthOf(ask));
    if (!encoded && size !== undefined) {
      const first = await bodyOf(url, response);
      // All of a small file, or one block of a large one.
      if (first.length === Math.min(size, FIRST)) {
        return { ranges: new HttpStorage(url, size, versionOf(header), first, noticed) };
      }
    }
    why = encoded ? 'encoding' : 'ranges';
    void response.body?.cancel().catch(() => undefined);
    response = await ask({});
    if (response.status !== 200) throw answerProblem(url, response.status);
  }

  const encoded = response.headers.get('Content-Encoding') !== null;
  const length = Number(response.headers.get('Content-Length') ?? 0);
  if (length > WHOLE_LIMIT) {
    abort.abort();
    throw noRanges(url, why);
  }
  const target = await sink();
  const reporter = new Reporter(onProgress);
  let done = 0;
  for await (const piece of piecesOf(url, response)) {
    target.write(piece);
    done += piece.length;
    if (done > WHOLE_LIMIT) {
      abort.abort();
      throw noRanges(url, why);
    }
    reporter.tell(done, encoded ? 0 : length);
  }
  if (!encoded && length > 0 && done !== length) {
    throw problem(
      'EIO',
      'unreachable',
      'The connection broke before the whole file was here.',
      'Try again.',
    );
  }
  return { whole: true };
}

/** Where `Content-Range` is hidden from other origins, `Content-Length` is not. */
async function lengthOf(
  ask: (init: RequestInit) => Promise<Response>,
): Promise<number | undefined> {
  const answer = await ask({ method: 'HEAD' });
  const length = Number(answer.headers.get('Content-Length') ?? NaN);
  return answer.ok && Number.isSafeInteger(length) ? length : undefined;
}

async function bodyOf(url: string, response: Response): Promise<Uint8Array> {
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw unreachable(url, error);
  }
}

async function* piecesOf(url: string, response: Response): AsyncGenerator<Uint8Array, void> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  for (;;) {
    let step;
    try {
      step = await reader.read();
    } catch (error) {
      throw unreachable(url, error);
    }
    if (step.done) return;
    yield step.value;
  }
}
