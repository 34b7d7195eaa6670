/**
 * Exit codes of the command line: one table, used by help, documentation and errors.
 *
 * A code answers "what should a script do now?"; the `reason` in the JSON error line is finer.
 * A code that is not in this table means failure.
 */

/** Exit codes by name. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  notAMap: 3,
  damaged: 4,
  unsupported: 5,
  locked: 6,
  noSpace: 7,
  readOnly: 8,
  notFound: 9,
  exists: 10,
  partial: 11,
  problems: 12,
  io: 13,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What each code means, in the order help and documentation print them. */
export const EXIT_CODES: readonly (readonly [code: ExitCode, meaning: string])[] = [
  [EXIT.ok, 'success'],
  [EXIT.failure, 'a failure not listed here'],
  [EXIT.usage, 'wrong usage: unknown option, missing argument'],
  [EXIT.notAMap, 'not a map, or truncated, resized or re-saved by another program'],
  [EXIT.damaged, 'the map is damaged: checksum or structure wrong'],
  [EXIT.unsupported, 'format version or feature this build cannot handle'],
  [EXIT.locked, 'another process holds the map'],
  [EXIT.noSpace, 'no space left'],
  [EXIT.readOnly, 'read-only, or permission denied'],
  [EXIT.notFound, 'no such file, in the map or in the source'],
  [EXIT.exists, 'exists, is not empty, or refused to overwrite'],
  [EXIT.partial, 'partial success: --keep-going left something out'],
  [EXIT.problems, 'verify found problems'],
  [EXIT.io, 'input/output error'],
  [EXIT.interrupted, 'interrupted (Ctrl-C)'],
];

/** By the engine's stable reason. */
const BY_REASON: Readonly<Record<string, ExitCode>> = {
  'not-a-map': EXIT.notAMap,
  truncated: EXIT.notAMap,
  resized: EXIT.notAMap,
  'needs-conversion': EXIT.notAMap,
  corrupt: EXIT.damaged,
  version: EXIT.unsupported,
  feature: EXIT.unsupported,
  unsupported: EXIT.unsupported,
  usage: EXIT.usage,
  helper: EXIT.failure,
  'no-helper': EXIT.unsupported,
  'no-fuse': EXIT.unsupported,
  locked: EXIT.locked,
  mounted: EXIT.locked,
  'in-use': EXIT.locked,
  silent: EXIT.locked,
  'no-space': EXIT.noSpace,
  'read-only': EXIT.readOnly,
  'not-permitted': EXIT.readOnly,
  access: EXIT.readOnly,
  'no-right': EXIT.readOnly,
  'not-found': EXIT.notFound,
  'not-mounted': EXIT.notFound,
  'not-a-directory': EXIT.notFound,
  'no-data': EXIT.notFound,
  exists: EXIT.exists,
  'not-empty': EXIT.exists,
  io: EXIT.io,
  poisoned: EXIT.io,
  cancelled: EXIT.interrupted,
};

/** By errno name, for errors of the host system and of the library. */
const BY_ERRNO: Readonly<Record<string, ExitCode>> = {
  ENOENT: EXIT.notFound,
  ENOTDIR: EXIT.notFound,
  ENODATA: EXIT.notFound,
  EEXIST: EXIT.exists,
  ENOTEMPTY: EXIT.exists,
  EACCES: EXIT.readOnly,
  EPERM: EXIT.readOnly,
  EROFS: EXIT.readOnly,
  ENOSPC: EXIT.noSpace,
  EDQUOT: EXIT.noSpace,
  EIO: EXIT.io,
  ENXIO: EXIT.io,
  EBUSY: EXIT.locked,
  ECANCELED: EXIT.interrupted,
};

/** The exit code of a failure, from its reason, else its errno name, else {@link EXIT.failure}. */
export function exitCodeOf(reason: string | undefined, errno: string | undefined): ExitCode {
  return (
    (reason === undefined ? undefined : BY_REASON[reason]) ??
    (errno === undefined ? undefined : BY_ERRNO[errno]) ??
    EXIT.failure
  );
}

/** The section that ends every help text; `codes` are the ones the command can end with. */
export function exitCodeHelp(codes: readonly ExitCode[]): string {
  const lines = EXIT_CODES.filter(([code]) => codes.includes(code)).map(
    ([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`,
  );
  return `\nExit codes:\n${lines.join('\n')}\n`;
}
