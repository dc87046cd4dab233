import { isUtf8 } from 'node:buffer';
import { resolve, sep } from 'node:path';
import { fileURLToPathBuffer, pathToFileURL } from 'node:url';

/** Two letters at least: `C:\` is a drive. */
const SCHEME = /^([a-z][a-z0-9+.-]+):\/\//i;

/** The scheme of a URL in lower case, `https` for example; undefined for a path. */
export function schemeOf(uri: string): string | undefined {
  return SCHEME.exec(uri)?.[1]?.toLowerCase();
}

/** The uri of what a person names: a relative path becomes absolute, a URL stays as it is. */
export function absoluteUri(spec: string): string {
  return schemeOf(spec) === undefined ? resolve(spec) : spec;
}

/**
 * The path of a file as the file system takes it: an absolute path is one already, a file URL is decoded, into bytes where
 * these are no UTF-8. Throws a TypeError for other URLs and for files of other machines.
 */
export function filePath(uri: string): string | Buffer {
  const scheme = schemeOf(uri);
  if (scheme === undefined) return uri;
  if (scheme !== 'file') throw new TypeError(`it is no file URL: ${scheme}://`);
  if (/%2f|%00/i.test(uri)) throw new TypeError('a file URL cannot hold %2F or %00');
  const bytes = fileURLToPathBuffer(uri);
  return isUtf8(bytes) ? bytes.toString('utf8') : bytes;
}

/** What lies inside a file: `tar+file:///data/a.tar#offset=512&size=2048`. */
export interface Member {
  /** The path or file URL of the file that it lies in. */
  readonly container: string;
  /** Where in it. */
  readonly place: URLSearchParams;
}

const MEMBER = /^[a-z]+\+(file:\/\/[^#]*)#(.*)$/i;

/** The uri of a place inside a file; `kind` says what kind of file that is, `tar` for example. */
export function memberUri(
  kind: string,
  container: string,
  place: Readonly<Record<string, string | number>>,
): string {
  const pairs = Object.entries(place).map(([name, value]) =>
    typeof value === 'number' ? `${name}=${value}` : `${name}=${encodeURIComponent(value.toWellFormed())}`,
  );
  return `${kind}+${fileUrl(container)}#${pairs.join('&')}`;
}

/** The file URL of a path; a URL stays as it is. */
export function fileUrl(uri: string): string {
  return schemeOf(uri) === undefined ? pathToFileURL(uri).href : uri;
}

/** The place that a uri of `memberUri` names; undefined for other uris. */
export function memberOf(uri: string): Member | undefined {
  const [, container, place] = MEMBER.exec(uri) ?? [];
  return container === undefined ? undefined : { container, place: new URLSearchParams(place) };
}

/** The file that holds what a uri names: itself, or the one that it lies in. */
export function fileOf(uri: string): string {
  return memberOf(uri)?.container ?? uri;
}

/** The uri of a name in a folder, both plain where they can be: a name that is no UTF-8 makes it a file URL. */
export function uriInside(folder: string, name: string | Buffer): string {
  const isUrl = schemeOf(folder) !== undefined;
  if (typeof name === 'string' && !isUrl) return folder.endsWith(sep) ? folder + name : folder + sep + name;
  const base = isUrl ? folder : `file://${percentEncoded(Buffer.from(folder), isPathByte)}`;
  return `${base.replace(/\/$/, '')}/${percentEncoded(Buffer.from(name), isNameByte)}`;
}

/** The uri of an absolute path in bytes. */
export function uriOf(path: Buffer): string {
  return isUtf8(path) ? path.toString('utf8') : `file://${percentEncoded(path, isPathByte)}`;
}

/** A name for people: as it is, with the bytes that are no UTF-8 percent-encoded. */
export function shownName(name: string | Buffer): string {
  if (typeof name === 'string') return name;
  let shown = '';
  for (let at = 0; at < name.length; ) {
    const length = [1, 2, 3, 4].find(
      (bytes) => at + bytes <= name.length && isUtf8(name.subarray(at, at + bytes)),
    );
    shown += length === undefined ? encodeByte(name[at] ?? 0) : name.toString('utf8', at, at + length);
    at += length ?? 1;
  }
  return shown;
}

function percentEncoded(bytes: Buffer, isPlain: (byte: number) => boolean): string {
  return Array.from(bytes, (byte) => (isPlain(byte) ? String.fromCharCode(byte) : encodeByte(byte))).join('');
}

function encodeByte(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

function isNameByte(byte: number): boolean {
  return /[A-Za-z0-9._~!$&'()*+,;=:@-]/.test(String.fromCharCode(byte));
}

function isPathByte(byte: number): boolean {
  return byte === 0x2f || isNameByte(byte);
}
