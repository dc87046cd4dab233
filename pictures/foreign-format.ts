/** Pictures that libvips does not read here, by the bytes they begin with ("?" is any byte). */
const SIGNATURES: readonly (readonly [signature: string, name: string])[] = [
  ['BM', 'a BMP picture'],
  ['????ftyphei', 'a HEIC picture'],
  ['????ftyphev', 'a HEIC picture'],
  ['????ftypmif1heic', 'a HEIC picture'],
  ['\xff\x0a', 'a JPEG XL picture'],
  ['\0\0\0\x0cJXL ', 'a JPEG XL picture'],
  ['\0\0\0\x0cjP  ', 'a JPEG 2000 picture'],
  ['\0\0\x01\0', 'an icon'],
  ['8BPS', 'a Photoshop document'],
  ['%PDF', 'a PDF'],
];

/** What a file is whose format cannot be decoded, where its first bytes tell. */
export function foreignFormat(bytes: Uint8Array): string | undefined {
  const head = String.fromCharCode(...bytes.subarray(0, 16));
  const matches = (signature: string): boolean =>
    Array.from(signature).every((char, i) => char === '?' || char === head[i]);
  return SIGNATURES.find(([signature]) => matches(signature))?.[1];
}
