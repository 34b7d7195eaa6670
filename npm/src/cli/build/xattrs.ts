/**
 * Extended attributes of the host, through getfattr and setfattr: Node has no calls for them.
 *
 * One process reads a whole tree while the data is being read, one restores a whole tree. Where
 * the programs are not installed the attributes are left out and the caller says so, once.
 */
import { spawn, spawnSync } from 'node:child_process';

/** The attributes of one path. */
export interface HostAttributes {
  readonly path: Buffer;
  readonly attributes: { readonly name: Buffer; readonly value: Buffer }[];
}

/** Attributes of everything below `directory`, or undefined where getfattr is not installed. */
export function readAttributes(
  directory: Buffer | string,
): Promise<Map<string, HostAttributes> | undefined> {
  return new Promise((resolve) => {
    // Node cannot pass arguments that are not UTF-8; a relative "." in the right directory can.
    const child = spawn('getfattr', ['-R', '-h', '-d', '-m-', '-e', 'hex', '--', '.'], {
      cwd: directory.toString(),
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, LC_ALL: 'C' },
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', () => {
      resolve(undefined);
    });
    child.on('close', () => {
      resolve(parseDump(Buffer.concat(chunks)));
    });
  });
}

/** Paths are keys in Latin-1, so that every byte is kept. */
export function attributeKey(path: Buffer | string): string {
  return Buffer.from(path as string).toString('latin1');
}

function parseDump(dump: Buffer): Map<string, HostAttributes> {
  const found = new Map<string, HostAttributes>();
  let current: HostAttributes | undefined;
  for (const line of dump.toString('latin1').split('\n')) {
    if (line.startsWith('# file: ')) {
      const relative = unquote(line.slice('# file: '.length));
      const path = relative === '.' ? '/' : `/${relative.replace(/^\.\//u, '')}`;
      current = { path: Buffer.from(path, 'latin1'), attributes: [] };
      found.set(path, current);
    } else if (current !== undefined && line !== '') {
      const equals = line.indexOf('=');
      const name = unquote(equals === -1 ? line : line.slice(0, equals));
      const value = equals === -1 ? '' : line.slice(equals + 1).replace(/^0x/u, '');
      current.attributes.push({
        name: Buffer.from(name, 'latin1'),
        value: Buffer.from(value, 'hex'),
      });
    }
  }
  return found;
}

/** getfattr writes odd characters of paths and names as backslash and three octal digits. */
function unquote(text: string): string {
  return text.replace(/\\([0-7]{3})/gu, (_, octal: string) =>
    String.fromCharCode(parseInt(octal, 8) & 0xff),
  );
}

function quote(bytes: Buffer, more: string): string {
  let text = '';
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    const odd = byte < 0x20 || byte === 0x7f || character === '\\' || more.includes(character);
    text += odd ? `\\${byte.toString(8).padStart(3, '0')}` : character;
  }
  return text;
}

/** Collects attributes while a tree is extracted and sets them all at the end. */
export class AttributeRestore {
  readonly #parts: Buffer[] = [];

  get empty(): boolean {
    return this.#parts.length === 0;
  }

  add(path: Buffer, attributes: readonly { name: Buffer; value: Buffer }[]): void {
    const lines = attributes.map(
      ({ name, value }) => `${quote(name, '=')}=0x${value.toString('hex')}\n`,
    );
    this.#parts.push(Buffer.from(`# file: ${quote(path, '')}\n${lines.join('')}\n`, 'latin1'));
  }

  /**
   * Sets what was collected.
   * @returns what went wrong, one sentence each
   */
  apply(): string[] {
    if (this.empty) return [];
    const made = spawnSync('setfattr', ['-h', '--restore=-'], {
      input: Buffer.concat(this.#parts),
      stdio: ['pipe', 'ignore', 'pipe'],
      env: { ...process.env, LC_ALL: 'C' },
    });
    if (made.error !== undefined) {
      return ['extended attributes left out: setfattr (package attr) is not installed'];
    }
    return made.stderr
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => `extended attributes: ${line}`);
  }
}
