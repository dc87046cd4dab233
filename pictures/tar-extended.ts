import { nameOf, padded, readTarHeader, TAR_BLOCK, type TarHeader } from './tar-header.ts';

/** What a long name (GNU) or a PAX header says of the entry behind it. */
export interface Extended {
  readonly name?: string | undefined;
  readonly size?: number | undefined;
  readonly isSparse?: boolean;
}

/** Names and numbers; what is longer is no header. */
export const MAX_EXTENDED_BYTES = 1024 * 1024;

/** Whether an entry is about another one: the next, or with `g` all that follow. */
export function isExtension({ type }: TarHeader): boolean {
  return type === 'x' || type === 'g' || type === 'L' || type === 'K';
}

/** Name and size of the file whose headers these are, the last of them its own; undefined where they are something else. */
export function readHeaders(headers: Buffer): Pick<TarHeader, 'name' | 'size'> | undefined {
  let said: Extended = {};
  for (let at = 0; at < headers.length; ) {
    const header = readTarHeader(headers.subarray(at, at + TAR_BLOCK));
    at += TAR_BLOCK;
    if (header === undefined) return undefined;
    if (!isExtension(header)) {
      const { name = header.name, size = header.size } = said;
      return at === headers.length ? { name, size } : undefined;
    }
    said = { ...said, ...readExtended(header, headers.subarray(at, at + header.size)) };
    at += padded(header.size);
  }
  return undefined;
}

/** Reads the content of such an entry. */
export function readExtended({ type }: TarHeader, content: Buffer): Extended {
  // Of all files behind it: the usual ones are comments and character sets.
  if (type === 'K' || type === 'g') return {};
  return type === 'L' ? { name: nameOf(content) } : paxRecords(content);
}

/** `LENGTH KEY=VALUE\n`, the length in bytes of all of it. */
function paxRecords(content: Buffer): Extended {
  let said: Extended = {};
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at);
    const length = Number(content.toString('latin1', at, space));
    if (space === -1 || !Number.isSafeInteger(length) || length <= space - at) break;
    const record = content.subarray(space + 1, at + length - 1);
    const equals = record.indexOf(0x3d);
    const key = record.toString('utf8', 0, Math.max(0, equals));
    const value = record.subarray(equals + 1);
    // The path of a sparse file is a made-up one, and comes behind what says so.
    if (key === 'path' && said.isSparse !== true) said = { ...said, name: nameOf(value) };
    if (key === 'GNU.sparse.name') said = { ...said, name: nameOf(value) };
    if (key === 'size' && /^\d+$/.test(value.toString('latin1')))
      said = { ...said, size: Number(value.toString('latin1')) };
    if (key.startsWith('GNU.sparse')) said = { ...said, isSparse: true };
    at += length;
  }
  return said;
}
