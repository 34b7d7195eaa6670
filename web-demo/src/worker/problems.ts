/**
 * What went wrong, in words for a visitor.
 *
 * The engine throws errors with a stable `reason`; the browser throws `DOMException`s; storages
 * throw problems that are finished already, but pass through the engine, which keeps only their
 * message. {@link explain} makes a finished problem of each of them.
 */
import type { Problem } from '../engine/contract';
import { EngineProblem } from '../engine/problem';

/** A problem of the page's own. */
export function problem(
  code: string,
  reason: string,
  message: string,
  advice?: string,
  cause?: unknown,
): EngineProblem {
  return new EngineProblem(
    { code, reason, message, ...(advice === undefined ? {} : { advice }) },
    cause,
  );
}

export const aborted = (what = 'The map was closed meanwhile.'): EngineProblem =>
  problem('ABORTED', 'aborted', what);

export const nothingOpen = (): EngineProblem =>
  problem('EBADF', 'closed', 'No map is open.', 'Open one, or start a new one.');

let passing: EngineProblem | undefined;

/** Notes a storage's problem before it is thrown through the engine, where it would lose its fields. */
export function throughEngine(failure: EngineProblem): EngineProblem {
  passing = failure;
  return failure;
}

/** What is said of each of the engine's reasons. `{}` stands for the engine's own sentence. */
const SENTENCES: Readonly<Record<string, readonly [message: string, advice?: string]>> = {
  'not-a-map': [
    'This file is not a map.',
    'Choose a picture that AetherFlow made: its name usually ends in .rts.png.',
  ],
  'needs-conversion': [
    'Another program has saved this picture again.',
    'Its pixels are whole: open it as a file and it is made a map again.',
  ],
  resized: [
    'This picture is not a map; if it once was one, it has been resized or recompressed since, and the bytes of its pixels are gone.',
    'Get the original file: sent as a file, not as a picture, it stays whole.',
  ],
  truncated: [
    'This file ends too early: {}.',
    'It was probably cut off while it was copied or downloaded. Get it again.',
  ],
  version: [
    'This map was written by a newer AetherFlow: {}.',
    'Reload the page, so that it brings its newest engine.',
  ],
  feature: [
    'This map uses something this engine does not know: {}.',
    'Reload the page, so that it brings its newest engine.',
  ],
  corrupt: [
    'Damaged: {}.',
    'Verify the map to see all that is damaged; everything else stays readable.',
  ],
  io: [
    'The storage failed: {}.',
    'Try again; if it goes on, download the map and reload the page.',
  ],
  'no-space': [
    'There is no space left in this browser for the map.',
    'Delete maps you no longer need, or free space on the disk.',
  ],
  poisoned: [
    'An earlier write failed, so nothing more can be written.',
    'What was saved before is safe. The map is being opened again.',
  ],
  'read-only': [
    'This map can only be read here.',
    'Make a copy in this browser, which you can change.',
  ],
  'not-found': ['There is no such file or folder.'],
  exists: ['Something of that name is there already.', 'Choose another name.'],
  'not-a-directory': ['That is not a folder.'],
  'is-a-directory': ['That is a folder, not a file.'],
  'not-empty': ['That folder is not empty.'],
  'name-too-long': ['That name is too long.', 'A name has at most 255 bytes.'],
  loop: ['Too many links lead in a circle.'],
  busy: ['The map is busy with something else.', 'Try again in a moment.'],
  cancelled: ['Stopped.'],
  'file-too-big': ['That file is larger than a map can hold.'],
  closed: ['No map is open.', 'Open one, or start a new one.'],
  internal: [
    'The engine stopped: {}.',
    'Reload the page; everything that was saved is still there.',
  ],
};

interface EngineError {
  code: string;
  reason: string;
  message: string;
  path?: unknown;
  offset?: unknown;
  cluster?: unknown;
}

function isEngineError(thrown: unknown): thrown is EngineError {
  return (
    thrown instanceof Error &&
    'code' in thrown &&
    typeof thrown.code === 'string' &&
    'reason' in thrown &&
    typeof thrown.reason === 'string'
  );
}

/** Puts the engine's sentence into one of ours, without a stop of its own. */
function fill(sentence: string, own: string): string {
  return sentence.replace('{}', own.replace(/[.\s]+$/, ''));
}

function fromEngine(error: EngineError): Problem {
  if (passing !== undefined && error.message.endsWith(passing.message)) return passing.plain();
  const [sentence, advice] = SENTENCES[error.reason] ?? [`${capital(error.message)}.`];
  const path = typeof error.path === 'string' ? absolute(error.path) : undefined;
  const damaged = error.reason === 'corrupt' && path !== undefined;
  return {
    code: error.code,
    reason: error.reason,
    message: damaged ? `${path} is damaged${place(error)}.` : fill(sentence, error.message),
    ...(advice === undefined ? {} : { advice }),
    ...(path === undefined ? {} : { path }),
    ...(typeof error.offset === 'number' ? { offset: error.offset } : {}),
    ...(typeof error.cluster === 'number' ? { cluster: error.cluster } : {}),
  };
}

function absolute(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}

/** Where a file is damaged, and how that shows. */
function place({ message, offset, cluster }: EngineError): string {
  const at = typeof offset === 'number' ? ` from byte ${offset} on` : '';
  const checksum = message.startsWith('checksum mismatch');
  if (typeof cluster !== 'number') return at;
  return checksum
    ? `${at}: cluster ${cluster} does not match its checksum`
    : `${at}, in cluster ${cluster}: ${message.replace(/[.\s]+$/, '')}`;
}

function capital(text: string): string {
  const trimmed = text.replace(/[.\s]+$/, '');
  return trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
}

/** What the browser's own exceptions mean here, by name. */
const EXCEPTIONS: Readonly<
  Record<string, readonly [code: string, reason: string, message: string, advice?: string]>
> = {
  QuotaExceededError: [
    'ENOSPC',
    'no-space',
    'There is no space left in this browser for the map.',
    'Delete maps you no longer need, or free space on the disk.',
  ],
  NoModificationAllowedError: [
    'EBUSY',
    'locked',
    'This map is open in another tab or window.',
    'Close it there, then open it here.',
  ],
  NotReadableError: [
    'EIO',
    'unreadable',
    'The browser could not read that file: it has changed, moved or become inaccessible.',
    'Choose it again.',
  ],
  NotFoundError: ['ENOENT', 'not-found', 'There is no such file or folder any more.'],
  NotAllowedError: ['EACCES', 'access', 'The browser does not allow that.'],
  SecurityError: [
    'EACCES',
    'access',
    'The browser does not allow this page to keep files.',
    'Leave private browsing, or allow this site to store data.',
  ],
  AbortError: ['ABORTED', 'aborted', 'Stopped.'],
};

/** Anything thrown, as a finished problem. */
export function explain(thrown: unknown): EngineProblem {
  if (thrown instanceof EngineProblem) return thrown;
  if (thrown instanceof WebAssembly.RuntimeError) {
    const [sentence, advice] = SENTENCES['internal'] ?? [''];
    return problem('EIO', 'internal', fill(sentence, thrown.message), advice, thrown);
  }
  if (isEngineError(thrown)) return new EngineProblem(fromEngine(thrown), thrown);
  if (thrown instanceof DOMException) {
    const known = EXCEPTIONS[thrown.name];
    if (known !== undefined) return problem(known[0], known[1], known[2], known[3], thrown);
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (thrown instanceof TypeError && message.includes('imported module')) {
    return problem(
      'EIO',
      'no-engine',
      'A part of this page could not be loaded.',
      'Look whether there is a connection, then reload the page.',
      thrown,
    );
  }
  return problem('EUNKNOWN', 'unknown', capital(message) + '.', undefined, thrown);
}

/** As {@link explain}, with the figures of this browser's quota where space ran out. */
export async function explainFully(thrown: unknown): Promise<EngineProblem> {
  const explained = explain(thrown);
  if (explained.reason !== 'no-space') return explained;
  try {
    const { usage = 0, quota = 0 } = await navigator.storage.estimate();
    const message = `${explained.message} It uses ${megabytes(usage)} of the ${megabytes(quota)} this site may have.`;
    return new EngineProblem({ ...explained.plain(), message }, thrown);
  } catch {
    return explained;
  }
}

function megabytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
}
