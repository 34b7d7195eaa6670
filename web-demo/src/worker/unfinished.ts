/**
 * The mark of an import that is under way: an extended attribute of the root, taken away when the
 * import has come to its end. So a map whose import was cut off can say so.
 */
import { encodeName } from './names';
import type { View } from './view';

const MARK = encodeName('user.aetherflow.importing');

/** The files there were before an import that left its mark. */
function filesBefore({ gate }: View): number | undefined {
  let length: number;
  try {
    length = gate.raw.getxattr(gate.root, gate.put(MARK));
  } catch {
    return undefined;
  }
  const before = Number(new TextDecoder().decode(gate.bytes.slice(0, Math.min(length, 20))));
  return Number.isSafeInteger(before) ? before : 0;
}

/** What is here of an import that was cut off. */
export function unfinishedImport(head: View): { files: number } | undefined {
  const before = filesBefore(head);
  return before === undefined ? undefined : { files: Math.max(0, head.raw.info().files - before) };
}

/** Marks that an import goes on; a mark that is there already stays. */
export function markImport(head: View): void {
  if (filesBefore(head) !== undefined) return;
  const { gate } = head;
  const length = gate.put(MARK);
  const value = gate.put(String(head.raw.info().files), length);
  gate.raw.setxattr(gate.root, length, value, 0);
}

/** Takes the mark away. */
export function forgetImport(head: View): void {
  if (filesBefore(head) === undefined) return;
  const { gate } = head;
  gate.raw.removexattr(gate.root, gate.put(MARK));
}
