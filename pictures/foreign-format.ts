/** Files that libvips does not read here, by the bytes they begin with ("?" is any byte). */
const SIGNATURES: readonly (readonly [signature: string, name: string])[] = [
  ['BM', 'a BMP picture'],
  ['\xff\x0a', 'a JPEG XL picture'],
  ['\0\0\0\x0cJXL ', 'a JPEG XL picture'],
  ['\0\0\0\x0cjP  ', 'a JPEG 2000 picture'],
  ['\xff\x4f\xff\x51', 'a JPEG 2000 picture'],
  ['\0\0\x01\0', 'an icon'],
  ['\0\0\x02\0', 'a cursor'],
  ['8BPS', 'a Photoshop document'],
  ['gimp xcf', 'a GIMP document'],
  ['%PDF', 'a PDF'],
  ['%!PS', 'a PostScript document'],
  ['qoif', 'a QOI picture'],
  ['#?RADIANCE', 'a Radiance HDR picture'],
  ['v/1\x01', 'an OpenEXR picture'],
  ['SIMPLE  =', 'a FITS picture'],
  ['DDS ', 'a DirectDraw surface'],
  ['II*\0????CR', 'a Canon raw picture'],
  ['FUJIFILMCCD-RAW', 'a Fujifilm raw picture'],
  ['PK\x03\x04', 'a ZIP archive'],
  ['RIFF????AVI ', 'a video'],
  ['\x1aE\xdf\xa3', 'a video'],
];

/** What a file of the ISO base media kind is, by the brands that it names; those of AVIF are read. */
const BRANDS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/^(hei[cxms]|hev[cxms])$/, 'a HEIC picture'],
  [/^crx $/, 'a Canon raw picture'],
  [/^(isom|iso\d|mp4\d|M4V |qt {2}|avc1|3gp\d)$/, 'a video'],
];

/** What a file is whose format cannot be decoded, where its first bytes tell. */
export function foreignFormat(bytes: Uint8Array): string | undefined {
  const head = String.fromCharCode(...bytes.subarray(0, 512));
  const matches = (signature: string): boolean =>
    Array.from(signature).every((char, i) => char === '?' || char === head[i]);
  if (head.slice(4, 8) === 'ftyp') return foreignBrand(head);
  return SIGNATURES.find(([signature]) => matches(signature))?.[1];
}

/** `size ftyp major version compatible…`, four bytes each: the major brand may be the common "mif1". */
function foreignBrand(head: string): string | undefined {
  const size = Array.from(head.slice(0, 4)).reduce((sum, char) => 256 * sum + char.charCodeAt(0), 0);
  const words = head.slice(0, size).match(/[\s\S]{4}/g) ?? [];
  const brands = words.filter((_, i) => i === 2 || i > 3);
  if (brands.some((brand) => brand.startsWith('avi'))) return undefined;
  return BRANDS.find(([pattern]) => brands.some((brand) => pattern.test(brand)))?.[1];
}
