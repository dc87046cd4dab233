/** What kind of picture these first bytes begin; undefined for what begins none. */
export function pictureKind(head: Uint8Array): string | undefined {
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1');
  const known = MARKS.find(({ mark }) => mark.test(text));
  return known?.kind;
}

const MARKS: readonly { readonly kind: string; readonly mark: RegExp }[] = [
  { kind: 'jpeg', mark: /^\xff\xd8\xff/ },
  { kind: 'png', mark: /^\x89PNG\r\n/ },
  { kind: 'gif', mark: /^GIF8[79]a/ },
  { kind: 'webp', mark: /^RIFF.{4}WEBP/s },
  { kind: 'tiff', mark: /^(?:II[*+]\0|MM\0[*+])/ },
  { kind: 'avif', mark: /^.{4}ftyp(?:avif|avis|mif1|miaf)/s },
  { kind: 'svg', mark: /^(?:\xef\xbb\xbf)?\s*<(?:\?xml|!--|!DOCTYPE svg|svg).*?(?:<svg|xmlns)/is },
];
