import { posix, relative, resolve, sep } from 'node:path';
import { isRemote } from '#download/remote.ts';
import { errorMessage } from '#errors.ts';
import { filePath, schemeOf, uriInside } from '#uri.ts';
import { quote } from './quote.ts';

/** Where a row's picture is and what it is called if the row gives no id. */
interface Location {
  readonly id: string;
  /** What it would be called by another spelling of the same path: absolute, or from the folder. */
  readonly alias?: string;
  readonly uri: string;
}

/** Finds the picture of a row by the path written there; returns `expected …, received …` if it cannot be one. */
export type Locate = (path: string) => Location | string;

/** Empty, `.` and `..` segments, for which joining by `/` is not enough. */
const ODD_SEGMENT = /(^|\/)\.{0,2}(\/|$)/;

/** Paths in a manifest: relative to its folder, absolute, `file://`, or another URL, which is kept as it is. */
export function locateFrom(folder: string): Locate {
  return (path) => {
    const said = path.trim();
    if (isRemote(said)) return { id: normalUrl(said), uri: said };
    if (path.includes('\0') || path.startsWith('data:')) {
      return `expected the path or URL of a picture, received ${quote(path)}`;
    }
    const scheme = schemeOf(path);
    if (scheme === undefined) return locatePath(folder, path);
    if (scheme !== 'file') return { id: path, uri: path };
    try {
      const file = filePath(path);
      if (typeof file !== 'string') return { id: path, uri: path };
      const uri = resolve(file);
      return { id: uri, alias: fromFolder(folder, uri), uri };
    } catch (error) {
      return `expected a file URL of this machine, received ${quote(path)} (${errorMessage(error)})`;
    }
  };
}

/** One spelling of a URL: its host in lower case, no usual port, no fragment, which no server sees. */
function normalUrl(said: string): string {
  // Keys of S3 are no paths of URLs: they are as they are written.
  if (schemeOf(said) === 's3' || !URL.canParse(said)) return said;
  const url = new URL(said);
  url.hash = '';
  return url.href;
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
  const written = isWindows ? path.replaceAll('\\', '/') : path;
  const uri = joined(folder, written);
  if (sep !== '/' || schemeOf(folder) !== undefined) return { id: path, uri };
  const isAbsolute = written.startsWith('/');
  const id = ODD_SEGMENT.test(isAbsolute ? written.slice(1) : written) ? posix.normalize(written) : written;
  return { id, alias: isAbsolute ? fromFolder(folder, uri) : uri, uri };
}

/** A file as a path from the folder of the manifest would name it. */
function fromFolder(folder: string, file: string): string {
  const isBelow = file.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
  return isBelow
    ? file.slice(folder.endsWith('/') ? folder.length : folder.length + 1)
    : relative(folder, file);
}

/** `resolve` for the simple paths that a million rows have, without its cost. */
function joined(folder: string, path: string): string {
  if (schemeOf(folder) !== undefined) return uriInside(folder, posix.normalize(path)).replaceAll('%2F', '/');
  if (sep !== '/' || ODD_SEGMENT.test(path)) return resolve(folder, path);
  return folder.endsWith('/') ? folder + path : `${folder}/${path}`;
}
