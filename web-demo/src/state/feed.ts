/**
 * What a visitor drops or chooses, as a feed that the worker pulls.
 *
 * Folders are walked as the worker asks for more, so that a drop of 100,000 files is never in
 * memory as a whole: at most one batch and the folders not yet walked are.
 */
import type { FileFeed, ImportReport, IncomingFile } from '../engine/contract';

/** Files handed over at once. */
const BATCH = 200;

export interface Incoming {
  /** Name of the folder, or of the file, that it came from. */
  name: string;
  /** The only file, when it is just one: it may be a map. */
  single?: File;
  /** One folder: its name is not in the paths. */
  folder?: boolean;
  files(): AsyncGenerator<IncomingFile | Missed>;
}

/** What the browser could not give, although it is there. */
export interface Missed {
  path: string;
  missed: string;
}

/** As it goes into a map that has other things: a folder stays a folder. */
export function withFolder(incoming: Incoming): Incoming {
  if (incoming.folder !== true) return incoming;
  const { name } = incoming;
  return {
    name,
    async *files() {
      yield { path: name };
      for await (const each of incoming.files()) yield { ...each, path: `${name}/${each.path}` };
    },
  };
}

/**
 * Reads a drop. To be called in the event itself: the browser takes the drop away afterwards.
 * @returns undefined when nothing in it is a file
 */
export function incomingOfDrop(transfer: DataTransfer): Incoming | undefined {
  const entries: FileSystemEntry[] = [];
  const loose: File[] = [];
  for (const item of transfer.items) {
    if (item.kind !== 'file') continue;
    const entry = item.webkitGetAsEntry();
    const file = item.getAsFile();
    if (entry?.isDirectory === true) entries.push(entry);
    else if (file !== null) loose.push(file);
  }
  if (entries.length + loose.length === 0) return undefined;
  const [onlyEntry] = entries;
  const [onlyFile] = loose;
  // One folder is what the map is about: its files lie at the root, not in a folder of one.
  const alone = entries.length === 1 && loose.length === 0 ? onlyEntry : undefined;
  return {
    name:
      alone?.name ??
      (entries.length === 0 && loose.length === 1 ? onlyFile?.name : undefined) ??
      'files',
    ...(entries.length === 0 && loose.length === 1 && onlyFile !== undefined
      ? { single: onlyFile }
      : {}),
    folder: alone !== undefined,
    async *files() {
      for (const file of loose) yield { path: file.name, file };
      for (const entry of entries) {
        yield* walkEntry(entry, alone === undefined ? entry.name : '');
      }
    },
  };
}

/** Files chosen in a dialog; those of a chosen folder know their path in it. */
export function incomingOfFiles(list: Iterable<File>): Incoming | undefined {
  const files = [...list];
  const [first] = files;
  if (first === undefined) return undefined;
  const folder = first.webkitRelativePath.split('/')[0] ?? '';
  const single = files.length === 1 && folder === '' ? { single: first } : {};
  return {
    name: folder === '' ? (files.length === 1 ? first.name : 'files') : folder,
    ...single,
    folder: folder !== '',
    // eslint-disable-next-line @typescript-eslint/require-await -- the same shape as the walks that wait
    async *files() {
      for (const file of files) {
        const path = file.webkitRelativePath;
        yield { path: path === '' ? file.name : path.slice(path.indexOf('/') + 1), file };
      }
    },
  };
}

/** A folder the visitor gave access to. */
export function incomingOfFolder(folder: FileSystemDirectoryHandle): Incoming {
  return { name: folder.name, folder: true, files: () => walkHandle(folder, '') };
}

/** Counts what has been handed over, and can be ended early. */
export class CountedFeed implements FileFeed {
  files = 0;
  bytes = 0;
  /** What never reached the map. */
  readonly missed: ImportReport['failed'] = [];
  readonly #source: AsyncGenerator<IncomingFile | Missed>;
  #ended = false;

  constructor(incoming: Incoming) {
    this.#source = incoming.files();
  }

  /** What has been handed over stays; nothing more comes. */
  stop(): void {
    this.#ended = true;
  }

  get stopped(): boolean {
    return this.#ended;
  }

  async next(): Promise<IncomingFile[]> {
    const batch: IncomingFile[] = [];
    while (batch.length < BATCH && !this.#ended) {
      const step = await this.#source.next();
      if (step.done === true) break;
      if ('missed' in step.value) {
        this.missed.push({ path: step.value.path, message: step.value.missed });
        continue;
      }
      const { path, file } = step.value;
      batch.push({ path, ...(file === undefined ? {} : { file }) });
      if (file !== undefined) {
        this.files += 1;
        this.bytes += file.size;
      }
    }
    return batch;
  }
}

function missed(path: string, error: unknown): Missed {
  const why = error instanceof Error || error instanceof DOMException ? error.message : '';
  return { path, missed: `The browser could not read it. ${why}`.trim() };
}

/** A file that vanished or may not be read is one that is missed, not an end of all. */
async function* walkEntry(
  entry: FileSystemEntry,
  path: string,
): AsyncGenerator<IncomingFile | Missed> {
  if (entry.isFile) {
    yield await new Promise<File>((resolve, reject) => {
      (entry as FileSystemFileEntry).file(resolve, reject);
    }).then(
      (file) => ({ path, file }),
      (error: unknown) => missed(path, error),
    );
    return;
  }
  if (path !== '') yield { path };
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    let entries: FileSystemEntry[];
    try {
      entries = await new Promise<FileSystemEntry[]>((resolve, reject) => {
        reader.readEntries(resolve, reject);
      });
    } catch (error) {
      yield missed(path === '' ? entry.name : path, error);
      return;
    }
    if (entries.length === 0) return;
    for (const child of entries) {
      yield* walkEntry(child, path === '' ? child.name : `${path}/${child.name}`);
    }
  }
}

async function* walkHandle(
  folder: FileSystemDirectoryHandle,
  path: string,
): AsyncGenerator<IncomingFile | Missed> {
  if (path !== '') yield { path };
  for await (const handle of folder.values()) {
    const below = path === '' ? handle.name : `${path}/${handle.name}`;
    if (handle instanceof FileSystemDirectoryHandle) yield* walkHandle(handle, below);
    else if (handle instanceof FileSystemFileHandle) {
      yield await handle.getFile().then(
        (file) => ({ path: below, file }),
        (error: unknown) => missed(below, error),
      );
    }
  }
}
