import { existsSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';

/**
 * The path of the file that a path means and does not name byte for byte: its accents may be composed there and decomposed
 * on the disk, as macOS writes them, or its folders divided by `\`, as Windows does. Undefined where there is none either.
 * For a path that was not found only: it asks the disk for each part.
 */
export function respelled(path: string): string | undefined {
  const isWindows = sep === '/' && path.includes('\\') && !LEADS_OUT.test(path);
  const forms = isWindows ? [path, path.replaceAll('\\', '/')] : [path];
  return forms
    .map((form) => byForms(resolve(form)))
    .find((found) => found !== undefined && found !== resolve(path));
}

/** A name with `..\` in it must not lead out of the folder that its source may name. */
const LEADS_OUT = /\\\.\.(?:[\\/]|$)|(?:^|[\\/])\.\.\\/;

/** The path with each part in the Unicode form that is there, its own first. */
function byForms(path: string): string | undefined {
  let found: string = sep;
  for (const part of path.split(sep).filter((one) => one !== '')) {
    const there = [part, part.normalize('NFC'), part.normalize('NFD')]
      .map((form) => join(found, form))
      .find((one) => existsSync(one));
    if (there === undefined) return undefined;
    found = there;
  }
  return found;
}
