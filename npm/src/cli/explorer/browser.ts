/** Starting the browser that the user of this machine prefers. */
import { spawn } from 'node:child_process';

/** The program that opens an address, with its words. */
function opener(url: string): readonly [program: string, words: readonly string[]] {
  switch (process.platform) {
    case 'darwin':
      return ['open', [url]];
    case 'win32':
      return ['rundll32', ['url.dll,FileProtocolHandler', url]];
    default:
      return ['xdg-open', [url]];
  }
}

/** Opens an address; resolves to why it did not work, undefined when it did or is still at it. */
export function openBrowser(url: string): Promise<string | undefined> {
  const [program, words] = opener(url);
  return new Promise((resolve) => {
    const child = spawn(program, words, { stdio: 'ignore', detached: true });
    child.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ENOENT' ? `there is no ${program}` : error.message);
    });
    child.on('exit', (code) => {
      resolve(code === 0 ? undefined : `${program} ended with ${String(code)}`);
    });
    // The browser may be what it starts, and outlives this command.
    child.unref();
  });
}
