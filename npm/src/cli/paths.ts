/**
 * Paths as bytes. Node decodes the command line as UTF-8 and thereby loses other bytes; where that
 * happened, the bytes are taken from the system's own copy of the command line.
 */
import * as fs from 'node:fs';

const REPLACEMENT = '\ufffd';

/** The bytes of a command line argument, also where they are not UTF-8 (Linux). */
export function pathBytes(argument: string): Buffer {
  if (argument.includes(REPLACEMENT)) {
    const original = originalArguments().find((bytes) => bytes.toString('utf8') === argument);
    if (original !== undefined) return original;
  }
  return Buffer.from(argument, 'utf8');
}

/** A host path for `node:fs`: bytes only where the text would lose some. */
export function hostPath(argument: string): string | Buffer {
  return argument.includes(REPLACEMENT) ? pathBytes(argument) : argument;
}

let known: Buffer[] | undefined;

function originalArguments(): Buffer[] {
  if (known !== undefined) return known;
  known = [];
  let bytes: Buffer;
  try {
    bytes = fs.readFileSync('/proc/self/cmdline');
  } catch {
    return known;
  }
  let start = 0;
  for (let end = bytes.indexOf(0); end !== -1; end = bytes.indexOf(0, start)) {
    known.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return known;
}

/** The components of a path, without empty ones. */
export function splitPath(path: Uint8Array): Buffer[] {
  const bytes = Buffer.from(path.buffer, path.byteOffset, path.length);
  const names: Buffer[] = [];
  let start = 0;
  while (start <= bytes.length) {
    let end = bytes.indexOf(0x2f, start);
    if (end === -1) end = bytes.length;
    if (end > start) names.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return names;
}

/**
 * A glob pattern as a regular expression over a whole name or path.
 *
 * `*` is any run without a slash, `**` also with slashes, `?` one character other than a slash,
 * `[a-z]` and `[!a-z]` a set, `{a,b}` alternatives, a backslash takes the next character as it is.
 */
export function globExpression(pattern: string, options: { insensitive?: boolean } = {}): RegExp {
  let source = '';
  let depth = 0;
  const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/gu, '\\$&');
  for (let index = 0; index < pattern.length; index += 1) {
    const character = pattern[index] ?? '';
    if (character === '*') {
      if (pattern[index + 1] === '*') {
        index += 1;
        if (pattern[index + 1] === '/') {
          index += 1;
          source += '(?:.*/)?';
        } else {
          source += '.*';
        }
      } else {
        source += '[^/]*';
      }
    } else if (character === '?') {
      source += '[^/]';
    } else if (character === '[') {
      const close = pattern.indexOf(']', index + 2);
      if (close === -1) {
        source += '\\[';
      } else {
        const negated = pattern[index + 1] === '!' || pattern[index + 1] === '^';
        const set = pattern.slice(index + (negated ? 2 : 1), close).replace(/[\\\][^]/gu, '\\$&');
        source += `[${negated ? '^/' : ''}${set}]`;
        index = close;
      }
    } else if (character === '{') {
      depth += 1;
      source += '(?:';
    } else if (character === '}' && depth > 0) {
      depth -= 1;
      source += ')';
    } else if (character === ',' && depth > 0) {
      source += '|';
    } else if (character === '\\' && index + 1 < pattern.length) {
      index += 1;
      source += literal(pattern[index] ?? '');
    } else {
      source += literal(character);
    }
  }
  source += ')'.repeat(depth);
  return new RegExp(`^${source}$`, options.insensitive === true ? 'sui' : 'su');
}
