/** Headers by which a server says whether something is as it was. */
export interface Validators {
  readonly 'if-none-match'?: string;
  readonly 'if-modified-since'?: string;
}

const MAX_LENGTH = 512;

/** What an answer is known by, in a text that is kept with it; undefined where the server says nothing. */
export function stampOf({
  etag,
  'last-modified': modified,
}: Readonly<Record<string, string | string[] | undefined>>): string | undefined {
  const known = { ...(isFit(etag) && { etag }), ...(isFit(modified) && { modified }) };
  return Object.keys(known).length > 0 ? JSON.stringify(known) : undefined;
}

/** What `stampOf` gave, as a question; nothing for a stamp of another kind, such as that of a file. */
export function validatorsOf(stamp: string): Validators {
  if (!stamp.startsWith('{')) return {};
  const { etag, modified } = JSON.parse(stamp) as { readonly etag?: string; readonly modified?: string };
  return {
    ...(etag !== undefined && { 'if-none-match': etag }),
    ...(modified !== undefined && { 'if-modified-since': modified }),
  };
}

function isFit(value: string | string[] | undefined): value is string {
  return typeof value === 'string' && value.length <= MAX_LENGTH && /^[\x20-\x7e]+$/.test(value);
}
