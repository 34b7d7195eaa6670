/** The browser's own dialogs for choosing files and folders. */
import { useRef } from 'preact/hooks';

import { incomingOfFiles, incomingOfFolder, type Incoming } from '../state/feed';
import { complain } from '../state/notices';

type FolderPicker = () => Promise<FileSystemDirectoryHandle>;

interface Choosers {
  files: () => void;
  folder: () => void;
  /** To be put into the page. */
  inputs: preact.JSX.Element;
}

/** `id` names the inputs, which are in the page but not in sight. */
export function useChoosers(id: string, onChosen: (incoming: Incoming) => unknown): Choosers {
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);

  function take(input: HTMLInputElement): void {
    const incoming = incomingOfFiles(input.files ?? []);
    if (incoming !== undefined) onChosen(incoming);
    input.value = '';
  }

  async function chooseFolder(): Promise<void> {
    // Where there is a picker, the folder is walked as it is read; the old way lists all of it first.
    const picker = (window as { showDirectoryPicker?: FolderPicker }).showDirectoryPicker;
    if (picker === undefined) {
      folder.current?.click();
      return;
    }
    try {
      onChosen(incomingOfFolder(await picker()));
    } catch (error) {
      if (!(error instanceof DOMException && error.name === 'AbortError')) complain(error);
    }
  }

  return {
    files: () => files.current?.click(),
    folder: () => void chooseFolder(),
    inputs: (
      <>
        <input
          ref={files}
          id={`${id}-files`}
          class="hidden-visually"
          type="file"
          multiple
          tabIndex={-1}
          aria-hidden="true"
          onChange={(event) => take(event.currentTarget)}
        />
        <input
          ref={folder}
          id={`${id}-folder`}
          class="hidden-visually"
          type="file"
          multiple
          {...{ webkitdirectory: true }}
          tabIndex={-1}
          aria-hidden="true"
          onChange={(event) => take(event.currentTarget)}
        />
      </>
    ),
  };
}
