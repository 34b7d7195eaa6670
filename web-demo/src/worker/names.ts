/**
 * Names between bytes and text, without loss.
 *
 * A byte b that belongs to no UTF-8 sequence becomes the lone surrogate U+DC00 + b, which no text
 * from UTF-8 contains; on the way back it becomes the byte again.
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const FOREIGN = 0xdc00;

/** Length of the valid UTF-8 sequence at `at`, 0 where there is none. */
function sequence(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (length === 0 || first > 0xf4 || at + length > bytes.length) return 0;
  try {
    decoder.decode(bytes.subarray(at, at + length));
    return length;
  } catch {
    return 0;
  }
}

/** Text of a name or path. */
export function decodeName(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    // Not UTF-8 as a whole: what is, stays readable.
  }
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const length = sequence(bytes, at);
    if (length === 0) {
      text += String.fromCharCode(FOREIGN + (bytes[at] ?? 0));
      at += 1;
    } else {
      text += decoder.decode(bytes.subarray(at, at + length));
      at += length;
    }
  }
  return text;
}

/** Bytes of a name or path. */
export function encodeName(text: string): Uint8Array {
  const parts: number[] = [];
  let foreign = false;
  for (const character of text) {
    const unit = character.charCodeAt(0);
    // A string is walked by whole characters, so a surrogate here stands alone.
    if (character.length === 1 && unit >= FOREIGN + 0x80 && unit <= FOREIGN + 0xff) {
      parts.push(unit - FOREIGN);
      foreign = true;
    } else if (unit < 0x80) {
      parts.push(unit);
    } else {
      parts.push(...encoder.encode(character));
    }
  }
  return foreign ? Uint8Array.from(parts) : encoder.encode(text);
}

/** The path of `name` in `directory`. */
export function joinPath(directory: string, name: string): string {
  return directory.endsWith('/') ? `${directory}${name}` : `${directory}/${name}`;
}

/** The last part of a path; the root's is empty. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Text without the lone surrogates that stand for foreign bytes, for where those cannot go. */
export function plainText(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}
