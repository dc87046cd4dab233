import { posix, resolve, sep } from 'node:path';
import { errorMessage } from '#errors.ts';
import { filePath, schemeOf, uriInside } from '#uri.ts';
import { quote } from './quote.ts';

/** Where a row's picture is and what it is called if the row gives no id. */
interface Location {
  readonly id: string;
  readonly uri: string;
}

/** Finds the picture of a row by the path written there; returns `expected …, received …` if it cannot be one. */
export type Locate = (path: string) => Location | string;

/** Empty, `.` and `..` segments, for which joining by `/` is not enough. */
const ODD_SEGMENT = /(^|\/)\.{0,2}(\/|$)/;

/** Paths in a manifest: relative to its folder, absolute, `file://`, or another URL, which is kept as it is. */
export function locateFrom(folder: string): Locate {
  return (path) => {
    if (path.includes('\0') || path.startsWith('data:')) {
      return `expected the path or URL of a picture, received ${quote(path)}`;
    }
    const scheme = schemeOf(path);
    if (scheme === undefined) return locatePath(folder, path);
    if (scheme !== 'file') return { id: path, uri: path };
    try {
      const file = filePath(path);
      return { id: path, uri: typeof file === 'string' ? resolve(file) : path };
    } catch (error) {
      return `expected a file URL of this machine, received ${quote(path)} (${errorMessage(error)})`;
    }
  };
}

/**
 * Paths in a `metadata` file: inside its folder, so that a data set cannot have other files of the machine indexed.
 * `prefix` is that folder relative to the root of the source, empty or ending with `/`.
 */
export function locateInside(folder: string, prefix: string): Locate {
  return (path) => {
    const inside = posix.normalize(path);
    const outside = inside === '..' || inside.startsWith('../') || posix.isAbsolute(inside);
    const unclear = inside === '.' || path.includes('\0') || schemeOf(path) !== undefined;
    // On Windows `\` and drive letters would lead out as well.
    if (outside || unclear || (sep !== '/' && /[\\:]/.test(path))) {
      return `expected the path of a picture inside ${quote(folder)}, received ${quote(path)}`;
    }
    return { id: prefix + inside, uri: joined(folder, inside) };
  };
}

/** A drive or a share of Windows, which is no place on this machine. */
const WINDOWS_PLACE = /^(?:[a-z]:[\\/]|\\\\)/i;

function locatePath(folder: string, path: string): Location | string {
  if (sep === '/' && WINDOWS_PLACE.test(path)) {
    return `expected a path of this machine, received the Windows path ${quote(path)}; put the manifest beside the pictures and name them from there, folders divided by "/"`;
  }
  // No name begins so: it is a path, and its folders are divided as on Windows.
  const isWindows = sep === '/' && /^\.{1,2}\\/.test(path);
  return { id: path, uri: joined(folder, isWindows ? path.replaceAll('\\', '/') : path) };
}

/** `resolve` for the simple paths that a million rows have, without its cost. */
function joined(folder: string, path: string): string {
  if (schemeOf(folder) !== undefined) return uriInside(folder, posix.normalize(path)).replaceAll('%2F', '/');
  if (sep !== '/' || ODD_SEGMENT.test(path)) return resolve(folder, path);
  return folder.endsWith('/') ? folder + path : `${folder}/${path}`;
}
