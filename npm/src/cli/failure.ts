/**
 * Failures as the user sees them: one line that says what, where, why and what to do.
 *
 * Every error that leaves a command is turned into a {@link Failure} exactly once, here.
 */
import { EXIT, exitCodeOf, type ExitCode } from './exit-codes.js';

/** The fields that errors of the engine, the library and Node carry. */
export interface ErrorFields {
  readonly code?: string | undefined;
  readonly reason?: string | undefined;
  readonly path?: string | undefined;
  readonly offset?: number | undefined;
  readonly cluster?: number | undefined;
}

/** The one document printed on stderr for a failure under `--json`. */
export interface ErrorDocument {
  error: {
    exit: ExitCode;
    reason: string;
    what: string;
    where: string;
    why: string;
    advice: string;
    errno?: string;
    path?: string;
    offset?: number;
    cluster?: number;
  };
}

/** A failure of a command, ready to be printed. */
export class Failure extends Error {
  readonly exit: ExitCode;
  readonly what: string;
  readonly where: string;
  readonly why: string;
  readonly advice: string;
  readonly fields: ErrorFields;

  constructor(
    exit: ExitCode,
    what: string,
    where: string,
    why: string,
    advice = '',
    fields: ErrorFields = {},
  ) {
    super(`${what}${where === '' ? '' : ` ${where}`}: ${why}`);
    this.name = 'Failure';
    this.exit = exit;
    this.what = what;
    this.where = where;
    this.why = why;
    this.advice = advice;
    this.fields = fields;
  }

  /** `aetherflow: <what> <where>: <why>; <what to do>`, without line breaks. */
  line(): string {
    const advice = this.advice === '' ? '' : `; ${this.advice}`;
    return oneLine(`aetherflow: ${this.message}${advice}`);
  }

  document(): ErrorDocument {
    const { code, reason, path, offset, cluster } = this.fields;
    return {
      error: {
        exit: this.exit,
        reason: reason ?? reasonOfExit(this.exit),
        what: this.what,
        where: this.where,
        why: this.why,
        advice: this.advice,
        ...(code === undefined ? {} : { errno: code }),
        ...(path === undefined ? {} : { path }),
        ...(offset === undefined ? {} : { offset }),
        ...(cluster === undefined ? {} : { cluster }),
      },
    };
  }
}

/** Thrown when the reader of our output went away; the process ends quietly with 0. */
export class OutputClosed extends Error {
  constructor() {
    super('the reader of the output went away');
    this.name = 'OutputClosed';
  }
}

/** Turns whatever was thrown into a {@link Failure}; one that already is passes through. */
export function failureOf(thrown: unknown, what: string, where: string): Failure {
  if (thrown instanceof Failure) return thrown;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const fields = fieldsOf(error);
  const exit = exitCodeOf(fields.reason, fields.code);
  return new Failure(
    exit,
    what,
    where,
    whyOf(error, fields),
    adviceFor(exit, fields.reason),
    fields,
  );
}

/** Runs `action`; whatever it throws becomes a failure of `what` at `where`. */
export function attempt<T>(what: string, where: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof OutputClosed) throw error;
    throw failureOf(error, what, where);
  }
}

/** The errno name or reason of any thrown value, for decisions in code. */
export function fieldsOf(error: unknown): ErrorFields {
  if (typeof error !== 'object' || error === null) return {};
  const source = error as Record<string, unknown>;
  return {
    code: stringField(source['code']),
    reason: stringField(source['reason']),
    path: stringField(source['path']),
    offset: numberField(source['offset']),
    cluster: numberField(source['cluster']),
  };
}

/** The reason in one sentence, without Node's `ENOENT: …, open 'x'` decoration. */
export function whyOf(error: unknown, fields: ErrorFields = fieldsOf(error)): string {
  let why = error instanceof Error ? error.message : String(error);
  if (fields.code !== undefined && why.startsWith(`${fields.code}: `)) {
    why = why.slice(fields.code.length + 2);
    const { syscall, path } = error as NodeJS.ErrnoException;
    if (syscall !== undefined) {
      const decoration = `, ${syscall}${path === undefined ? '' : ` '${path}'`}`;
      const end = why.lastIndexOf(decoration);
      if (end !== -1) why = why.slice(0, end);
    }
  }
  if (fields.cluster !== undefined && !why.includes('cluster')) {
    why += ` (cluster ${String(fields.cluster)})`;
  }
  return why;
}

const ADVICE: Readonly<Record<string, string>> = {
  'not-a-map': 'give a file that `aetherflow create` or `aetherflow build` made',
  truncated: 'copy or download the file again; the missing part is not in this copy',
  resized: 'the pixels were changed and the data is gone; look for the original file',
  'needs-conversion': 'run `aetherflow unpack` to make it live again',
  corrupt: 'run `aetherflow verify` to see what is affected',
  version: 'use a newer aetherflow',
  feature: 'use a newer aetherflow',
  locked: 'wait until it is done, or end that process',
  mounted: 'work there, or unmount it first',
  'in-use': 'close what is open there, or use --lazy',
  'not-mounted': 'see what is mounted with `aetherflow mounts`',
  silent: 'end that process, then run `aetherflow unmount`',
  usage: 'see `aetherflow mount --help`',
  // Their own sentence says what to do.
  helper: '',
  'no-helper': '',
  'no-fuse': '',
  'no-right': '',
  'no-directory': '',
  'no-space': 'free some space and repeat; the map is as it was',
  'read-only': 'change the permissions or work on a copy',
  'not-found': 'list what is there with `aetherflow ls`',
  poisoned: 'run the command again: the map recovers when it is opened',
};

const ADVICE_BY_EXIT: Readonly<Record<number, string>> = {
  [EXIT.noSpace]: 'free some space and repeat; the map is as it was',
  [EXIT.readOnly]: 'check the permissions',
  [EXIT.locked]: 'wait until it is done, or end that process',
  [EXIT.io]: 'check the disk, then run `aetherflow verify`',
};

function adviceFor(exit: ExitCode, reason: string | undefined): string {
  return (reason === undefined ? undefined : ADVICE[reason]) ?? ADVICE_BY_EXIT[exit] ?? '';
}

function reasonOfExit(exit: ExitCode): string {
  const names: Readonly<Record<number, string>> = {
    [EXIT.usage]: 'usage',
    [EXIT.notAMap]: 'not-a-map',
    [EXIT.damaged]: 'corrupt',
    [EXIT.unsupported]: 'version',
    [EXIT.locked]: 'locked',
    [EXIT.noSpace]: 'no-space',
    [EXIT.readOnly]: 'access',
    [EXIT.notFound]: 'not-found',
    [EXIT.exists]: 'exists',
    [EXIT.partial]: 'partial',
    [EXIT.problems]: 'problems',
    [EXIT.io]: 'io',
    [EXIT.interrupted]: 'interrupted',
  };
  return names[exit] ?? 'failure';
}

/** One line whatever the names in it hold: control characters are shown as escapes. */
export function oneLine(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/gu, (character) =>
    character === '\n'
      ? '\\n'
      : `\\x${(character.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`,
  );
}

function stringField(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function numberField(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
