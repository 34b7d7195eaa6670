/**
 * Talking to the process that has a map mounted: JSON lines over its control socket, as in
 * docs/CONTROL.md.
 *
 * Rules: answers are matched to requests by number, so several may be under way; whatever the other
 * side sends, at most one line of bounded length is held; a connection that ends fails every
 * request that still waits.
 */
import * as net from 'node:net';
import type { Progress } from '../contract.js';
import { AetherFlowError } from '../errors.js';

/** The version of the protocol spoken here. */
const PROTOCOL = 1;
/** Longest request line the server takes, in bytes. */
const LONGEST_REQUEST = 1 << 20;
/** Longest line taken from the server, in characters: a report of many problems is long. */
const LONGEST_ANSWER = 1 << 26;
/** Milliseconds to wait for a connection and the greeting. */
const CONNECT_TIMEOUT = 5000;

/** Why nobody can be reached, by code. */
const UNREACHABLE: Readonly<Record<string, string>> = {
  ENOENT: 'its control socket is gone',
  ECONNREFUSED: 'nobody listens at its control socket',
  EACCES: 'its control socket belongs to another user',
};

/** What the server says first. */
export interface Greeting {
  /** Version of the helper. */
  readonly aetherflow: string;
  readonly protocol: number;
  /** Absolute path of the map. */
  readonly map: string;
  /** Absolute path of the directory. */
  readonly mountPoint: string;
  readonly pid: number;
}

export interface ConnectOptions {
  /** Milliseconds until connecting is given up. Default 5000. */
  timeout?: number | undefined;
}

export interface CallOptions {
  /** Called now and then by long operations; returning `false` cancels. */
  onProgress?: Progress | undefined;
  /** Asks the server to stop; the promise is rejected once it has. */
  signal?: AbortSignal | undefined;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly onProgress: Progress | undefined;
}

/** A connection to the process that has a map mounted. */
export class ControlClient {
  readonly greeting: Greeting;
  /** Path of the control socket. */
  readonly socket: string;
  readonly #socket: net.Socket;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;
  #ended: AetherFlowError | undefined;

  private constructor(socket: net.Socket, path: string, greeting: Greeting) {
    this.#socket = socket;
    this.socket = path;
    this.greeting = greeting;
  }

  /**
   * Connects to the control socket at `path`.
   * @throws ENOENT, ECONNREFUSED when nobody listens there, EACCES, ETIMEDOUT
   * @throws ENOTSUP (reason 'version') for a server of another protocol
   */
  static connect(path: string, options: ConnectOptions = {}): Promise<ControlClient> {
    const { timeout = CONNECT_TIMEOUT } = options;
    return new Promise((resolve, reject) => {
      const socket = net.createConnection({ path });
      let client: ControlClient | undefined;
      const lost = (error: AetherFlowError): void => {
        clearTimeout(timer);
        socket.destroy();
        if (client === undefined) reject(error);
        else client.#end(error);
      };
      const timer = setTimeout(() => {
        lost(failure('ETIMEDOUT', path, `no greeting within ${timeout} ms`, -110));
      }, timeout);
      const onLine = (line: string): void => {
        if (client !== undefined) {
          client.#take(line);
          return;
        }
        const greeting = greetingOf(line);
        if (greeting instanceof AetherFlowError) {
          lost(greeting);
          return;
        }
        clearTimeout(timer);
        client = new ControlClient(socket, path, greeting);
        // An idle connection keeps no process alive.
        socket.unref();
        resolve(client);
      };
      socket.setEncoding('utf8');
      splitLines(socket, onLine, () => {
        lost(failure('EIO', path, 'the answer is longer than any answer may be'));
      });
      socket.on('error', (error: NodeJS.ErrnoException) => {
        const { code = 'EIO', errno } = error;
        lost(failure(code, path, UNREACHABLE[code] ?? error.message, errno));
      });
      socket.on('close', () => {
        lost(failure('ECONNRESET', path, 'the process that has the map mounted went away', -104));
      });
    });
  }

  /**
   * Asks for `method` and gives its result.
   * @throws the error the server answered, with its code; ECONNRESET when the server went away; the
   *   reason of `signal` after that asked to stop
   */
  call(
    method: string,
    params: Readonly<Record<string, unknown>> = {},
    options: CallOptions = {},
  ): Promise<unknown> {
    const { onProgress, signal } = options;
    return new Promise((resolve, reject: (error: unknown) => void) => {
      signal?.throwIfAborted();
      if (this.#ended !== undefined) throw this.#ended;
      this.#last += 1;
      const id = this.#last;
      const line = `${JSON.stringify({ id, method, params })}\n`;
      if (Buffer.byteLength(line) > LONGEST_REQUEST) {
        throw failure('E2BIG', this.socket, 'the request is longer than 1 MiB');
      }
      const stop = (): void => {
        this.#cancel(id);
      };
      const done = (): void => {
        signal?.removeEventListener('abort', stop);
        if (this.#waiting.size === 0) this.#socket.unref();
      };
      this.#waiting.set(id, {
        onProgress,
        resolve: (value) => {
          done();
          resolve(value);
        },
        reject: (error) => {
          done();
          const stopped = signal?.aborted === true && isCancelled(error);
          reject((stopped ? signal.reason : error) as Error);
        },
      });
      signal?.addEventListener('abort', stop, { once: true });
      this.#socket.ref();
      this.#socket.write(line);
    });
  }

  /** Ends the connection; requests that still wait fail with ECANCELED. */
  close(): void {
    this.#end(failure('ECANCELED', this.socket, 'the connection was closed'));
    this.#socket.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #cancel(id: number): void {
    if (!this.#waiting.has(id)) return;
    this.#last += 1;
    const request = { id: this.#last, method: 'cancel', params: { id } };
    this.#socket.write(`${JSON.stringify(request)}\n`);
  }

  #end(error: AetherFlowError): void {
    this.#ended ??= error;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(error);
  }

  #take(line: string): void {
    const answer = parse(line);
    const id = answer?.['id'];
    if (answer === undefined || typeof id !== 'number') return;
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    if ('progress' in answer) {
      const { done, total } = isObject(answer['progress']) ? answer['progress'] : {};
      if (typeof done !== 'number' || typeof total !== 'number') return;
      try {
        if (waiting.onProgress?.(done, total) === false) this.#cancel(id);
      } catch (error) {
        this.#cancel(id);
        this.#waiting.delete(id);
        waiting.reject(error);
      }
      return;
    }
    this.#waiting.delete(id);
    if (isObject(answer['error'])) waiting.reject(errorOf(answer['error']));
    else waiting.resolve(answer['result']);
  }
}

/** Calls `onLine` for each line without its break, `onTooLong` once when a line never ends. */
function splitLines(
  socket: net.Socket,
  onLine: (line: string) => void,
  onTooLong: () => void,
): void {
  let pieces: string[] = [];
  let held = 0;
  socket.on('data', (data) => {
    let text = data.toString();
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n')) {
      pieces.push(text.slice(0, end));
      text = text.slice(end + 1);
      const line = pieces.join('');
      pieces = [];
      held = 0;
      onLine(line);
    }
    pieces.push(text);
    held += text.length;
    if (held > LONGEST_ANSWER) {
      pieces = [];
      held = 0;
      onTooLong();
    }
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function greetingOf(line: string): Greeting | AetherFlowError {
  const said = parse(line);
  if (said === undefined || typeof said['protocol'] !== 'number') {
    if (isObject(said?.['error'])) return errorOf(said['error']);
    return failure('EIO', undefined, 'what listens there is not aetherflow-fuse');
  }
  const { aetherflow, protocol, map, mountPoint, pid } = said;
  if (protocol !== PROTOCOL) {
    return new AetherFlowError('ENOTSUP', {
      reason: 'version',
      sentence: `the map was mounted by aetherflow-fuse ${String(aetherflow)}, which speaks protocol ${protocol}; this one speaks ${PROTOCOL}`,
    });
  }
  return {
    aetherflow: textOr(aetherflow, 'unknown'),
    protocol,
    map: textOr(map, ''),
    mountPoint: textOr(mountPoint, ''),
    pid: typeof pid === 'number' ? pid : 0,
  };
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}

/** An error as the server describes it, as an error of ours. */
export function errorOf(described: Readonly<Record<string, unknown>>): AetherFlowError {
  const { code, errno, message, reason, path, cluster, offset } = described;
  return new AetherFlowError(textOr(code, 'EIO'), {
    path: textOr(path, '') || undefined,
    sentence: textOr(message, '') || undefined,
    reason: textOr(reason, '') || undefined,
    errno: typeof errno === 'number' ? -Math.abs(errno) : undefined,
    cluster: typeof cluster === 'number' ? cluster : undefined,
    offset: typeof offset === 'number' ? offset : undefined,
  });
}

function isCancelled(error: unknown): boolean {
  return error instanceof AetherFlowError && error.code === 'ECANCELED';
}

function failure(
  code: string,
  path: string | undefined,
  sentence: string,
  errno?: number,
): AetherFlowError {
  return new AetherFlowError(code, { syscall: 'connect', path, sentence, errno });
}
