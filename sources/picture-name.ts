const DECODABLE = [
  'jpg',
  'jpeg',
  'jpe',
  'jfif',
  'jfi',
  'jif',
  'pjpeg',
  'pjp',
  'png',
  'apng',
  'webp',
  'gif',
  'tif',
  'tiff',
  'avif',
  'svg',
];
/** Pictures that cannot be decoded: items all the same, so that they are listed as failed and not lost in silence. */
const UNDECODABLE = ['bmp', 'heic', 'heif', 'jxl', 'jp2', 'ico', 'psd'];
const PICTURE_ENDINGS: ReadonlySet<string> = new Set([...DECODABLE, ...UNDECODABLE]);
/** Raw files of cameras begin as TIFF does and hold a thumbnail only; the others are texts, tables, films and archives. */
const OTHER_ENDINGS: ReadonlySet<string> = new Set(
  (
    '3fr arw cr2 cr3 dcr dng erf iiq kdc mef mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw x3f ' +
    'txt json jsonl ndjson csv tsv parquet arrow md xml html htm xmp yaml yml log py js ts ' +
    'mp4 mov avi mkv webm mp3 wav tar gz zst zip pdf npy pt onnx safetensors'
  ).split(' '),
);

/** What the name of a file says of it: `unknown` where only its content tells. */
export function nameSays(name: string): 'picture' | 'other' | 'unknown' {
  const dot = name.lastIndexOf('.');
  const ending = dot > 0 ? name.slice(dot + 1).toLowerCase() : '';
  if (PICTURE_ENDINGS.has(ending)) return 'picture';
  return OTHER_ENDINGS.has(ending) ? 'other' : 'unknown';
}
