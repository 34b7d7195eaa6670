/** What can be wrong with a server's answer, in words. */
import type { EngineProblem } from '../../engine/problem';
import { problem } from '../problems';

function host(url: string): string {
  return new URL(url).host;
}

export function changed(url: string): EngineProblem {
  return problem(
    'EIO',
    'changed-on-server',
    `The picture on ${host(url)} has changed since it was opened.`,
    'Open it again to see what it is now.',
  );
}

export function unreachable(url: string, cause: unknown): EngineProblem {
  const other = new URL(url).origin !== location.origin;
  const insecure = location.protocol === 'https:' && url.startsWith('http:');
  const message = other
    ? `${host(url)} cannot be reached, or does not let other sites read its files.`
    : `${host(url)} cannot be reached.`;
  const advice = !navigator.onLine
    ? 'This device is offline; try again once it is connected.'
    : insecure
      ? 'This page is secure, and browsers do not let it read from addresses that begin with http:.'
      : other
        ? 'Look whether the address is right. If it is, the server lacks the headers that allow it (CORS): download the picture and open it as a file.'
        : 'Look whether the server is running, then try again.';
  return problem('EIO', 'unreachable', message, advice, cause);
}

/** For a status that is neither 200 nor 206. */
export function answerProblem(url: string, status: number): EngineProblem {
  if (status === 404 || status === 410) {
    return problem(
      'ENOENT',
      'not-on-server',
      `There is no such file on ${host(url)}.`,
      'Look whether the address is right.',
    );
  }
  if (status === 401 || status === 403) {
    return problem(
      'EACCES',
      'forbidden',
      `${host(url)} does not give out that file (${status}).`,
      'It may need a password or a link that is still valid.',
    );
  }
  return problem(
    'EIO',
    'server-error',
    `${host(url)} answered with error ${status}.`,
    'Try again in a while.',
  );
}

export function otherRange(url: string): EngineProblem {
  return problem(
    'EIO',
    'server-error',
    `${host(url)}, or what lies between it and this browser, sends other parts of the file than it is asked for.`,
    'Try again in a while, or download the picture and open it as a file.',
  );
}

export function noRanges(url: string, why: 'ranges' | 'encoding'): EngineProblem {
  const message =
    why === 'ranges'
      ? `${host(url)} cannot send parts of a file, and this one is too large to download as a whole.`
      : `${host(url)} compresses the parts it sends, and this file is too large to download as a whole.`;
  return problem(
    'ENOTSUP',
    'no-ranges',
    message,
    'Download the picture and open it as a file, or put it on a server that supports range requests.',
  );
}

export function webPage(url: string): EngineProblem {
  return problem(
    'EINVAL',
    'not-a-map',
    `That address leads to a web page on ${host(url)}, not to a picture.`,
    'Look for the address of the file itself, often called "raw" or "download".',
  );
}
