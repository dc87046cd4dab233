import { readFile } from 'node:fs/promises';
import { errorMessage, VlmoError } from '#errors.ts';
import { envName, flagName } from './option.ts';
import { ALL_OPTIONS } from './options.ts';

/** The file in the working directory that sets options by their names. */
export const CONFIG_FILE = 'vlmo.config.json';

/** What the configuration file of the working directory says; empty where there is none. Throws CONFIG_INVALID. */
export async function readConfigFile(): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await readFile(CONFIG_FILE).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw invalid(`expected a JSON object, received ${errorMessage(error)}`, error);
  });
  if (bytes === undefined) return {};
  const file = parse(bytes);
  for (const name of Object.keys(file)) if (!Object.hasOwn(ALL_OPTIONS, name)) throw unknown(name);
  return file;
}

function parse(bytes: Buffer): Readonly<Record<string, unknown>> {
  // PowerShell's `>` writes UTF-16.
  if (['fffe', 'feff'].includes(bytes.toString('hex', 0, 2)))
    throw invalid('expected UTF-8, received UTF-16: save it as UTF-8');
  try {
    // TextDecoder takes away the byte order mark that Windows' editors put in front.
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new Error(Array.isArray(value) ? 'an array' : JSON.stringify(value));
    return value as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw invalid(`expected a JSON object, received ${errorMessage(error)}`, error);
  }
}

/** Names the option that was meant, where it was said as a flag or a variable has it. */
function unknown(name: string): VlmoError {
  const plain = (word: string): string => word.replaceAll(/[^a-z]/gi, '').toLowerCase();
  const meant = Object.entries(ALL_OPTIONS).find(([key, option]) =>
    [key, flagName(option), envName(option)].some((word) => plain(word) === plain(name)),
  );
  const expected = meant ? `"${meant[0]}"` : 'the name of an option ("vlmo config" lists them)';
  return invalid(`expected ${expected}, received "${name}"`);
}

function invalid(what: string, cause?: unknown): VlmoError {
  return new VlmoError('CONFIG_INVALID', `Cannot use "${CONFIG_FILE}": ${what}`, { cause });
}
