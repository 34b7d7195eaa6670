/** What can be done to files, each with its questions and what it says afterwards. */
import { callback, engine } from '../engine/client';
import type { Entry, Problem, Zone } from '../engine/contract';
import { ask, confirm } from './dialogs';
import { drafts, keepDraft } from './drafts';
import { filesRevision, layout, openMap } from './map';
import { announce, complain, problemOf, runTask, tell } from './notices';
import { bytes, isWithin, joined, nameOf, nameProblem, parentOf, shown } from './text';
import { selection } from './view';

/** What a dragged row carries. */
export const PATH_TYPE = 'application/x-aetherflow-path';

function changed(): void {
  filesRevision.value += 1;
}

export async function newFolder(directory: string): Promise<void> {
  const answer = await ask({
    title: 'New folder',
    text: `In ${placeName(directory)}.`,
    label: 'Name',
    value: '',
    action: 'Make the folder',
    check: nameProblem,
  });
  if (answer === null) return;
  const path = joined(directory, answer.value);
  try {
    await engine.makeDirectory(path);
    changed();
    selection.value = path;
    announce(`Folder ${shown(answer.value)} made`);
  } catch (error) {
    complain(error);
  }
}

export async function newFile(directory: string): Promise<void> {
  const answer = await ask({
    title: 'New text file',
    text: `In ${placeName(directory)}.`,
    label: 'Name',
    value: 'notes.txt',
    action: 'Make the file',
    check: nameProblem,
  });
  if (answer === null) return;
  const path = joined(directory, answer.value);
  try {
    const siblings = await engine.list(directory);
    if (siblings.some(({ name }) => name === answer.value)) {
      complain(new Error(`${shown(path)} is there already.`));
      return;
    }
    await engine.write(path, new Uint8Array());
    changed();
    selection.value = path;
  } catch (error) {
    complain(error);
  }
}

/** Renames or moves. @returns what went wrong, or undefined */
export async function moveTo(from: string, to: string): Promise<Problem | undefined> {
  if (from === to) return undefined;
  try {
    await engine.rename(from, to);
  } catch (error) {
    return problemOf(error);
  }
  for (const [path, text] of drafts.value) {
    if (!isWithin(path, from)) continue;
    keepDraft(path, undefined);
    keepDraft(to + path.slice(from.length), text);
  }
  changed();
  const chosen = selection.value;
  if (chosen !== null && isWithin(chosen, from)) selection.value = to + chosen.slice(from.length);
  announce(`Moved to ${shown(to)}`);
  return undefined;
}

function placeName(directory: string): string {
  return directory === '/' ? 'the root' : shown(directory);
}

/** Moves into another directory, by dragging. Never over something that is there. */
export async function moveInto(path: string, directory: string): Promise<void> {
  if (parentOf(path) === directory || isWithin(directory, path)) return;
  const name = shown(nameOf(path));
  const problem = await moveTo(path, joined(directory, nameOf(path)));
  if (problem === undefined) tell(`${name} is in ${placeName(directory)} now.`);
  else if (problem.code === 'EEXIST') {
    complain({
      ...problem,
      message: `There is a ${name} in ${placeName(directory)} already, so it stays where it was.`,
      advice: 'Rename or delete one of the two first.',
    });
  } else complain(problem);
}

export async function removeAsking(entry: Pick<Entry, 'path' | 'type' | 'size'>): Promise<void> {
  const name = shown(nameOf(entry.path));
  const yes = await confirm({
    title: `Delete ${name}?`,
    text:
      entry.type === 'directory'
        ? 'The folder and everything below it. Snapshots keep what they hold.'
        : `${bytes(entry.size)}. Snapshots that hold it keep it.`,
    action: 'Delete',
    danger: true,
  });
  if (!yes) return;
  const done = await runTask(`Deleting ${name}`, 'things', async () => {
    await engine.remove(entry.path);
    return true;
  });
  if (done === undefined) return;
  for (const path of drafts.value.keys())
    if (isWithin(path, entry.path)) keepDraft(path, undefined);
  if (selection.value !== null && isWithin(selection.value, entry.path)) selection.value = null;
  changed();
  tell(`${name} is deleted.`);
}

export async function download(path: string): Promise<void> {
  const file = await runTask(`Preparing ${shown(nameOf(path))}`, 'bytes', (onProgress) =>
    engine.export(path, callback(onProgress)),
  );
  if (file !== undefined) handOver(file);
}

export async function downloadMap(form: 'live' | 'packed'): Promise<void> {
  const title = openMap.value?.title ?? 'the map';
  const file = await runTask(
    form === 'live' ? `Preparing ${title}` : `Packing ${title}`,
    'bytes',
    (onProgress) => engine.save(form, callback(onProgress)),
  );
  if (file === undefined) return;
  handOver(file);
  tell(`${file.name}, ${bytes(file.size)}, is handed to your downloads.`);
}

/** Gives a file to the browser's downloads. */
export function handOver(file: File): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = file.name;
  document.body.append(link);
  link.click();
  link.remove();
  // The download has its own hold on the bytes once it began.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** The middle of a zone, as the distance to ask for. */
export function distanceOf(zone: Zone): number {
  const found = layout.value?.zones.find((candidate) => candidate.zone === zone);
  if (found === undefined) return 0;
  return found.outer === null ? found.inner * 1.1 : (found.inner + found.outer) / 2;
}

export async function placeIn(path: string, zone: Zone): Promise<void> {
  const name = shown(nameOf(path));
  const done = await runTask(`Moving ${name} to the ${zone} zone`, 'things', async () => {
    await engine.place(path, distanceOf(zone));
    return true;
  });
  if (done === undefined) return;
  changed();
  tell(await placeTaken(path, name, zone));
}

/** What came of a wish for a place: the nearest room may lie in another zone. */
async function placeTaken(path: string, name: string, zone: Zone): Promise<string> {
  const found = await engine.details(path).catch(() => undefined);
  if (found?.zone === undefined || found.zone === zone) {
    return `${name} has its place in the ${zone} zone now.`;
  }
  return `The nearest room to the ${zone} zone was in the ${found.zone} one: ${name} is there now.`;
}

export async function unplace(path: string): Promise<void> {
  const name = shown(nameOf(path));
  const done = await runTask(`Moving ${name} where the rules put it`, 'things', async () => {
    await engine.unplace(path);
    return true;
  });
  if (done === undefined) return;
  changed();
  tell(`${name} is where the rules put it.`);
}

export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    tell('Copied.');
  } catch {
    complain(new Error('The browser does not let this page write to the clipboard.'));
  }
}
