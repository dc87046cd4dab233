/** What the first picture of a TIFF says of its bands beyond those of its colours. */
export type ExtraBand = 'none' | 'transparency' | 'something else';

const EXTRA_SAMPLES = 338;
const SAMPLE_FORMAT = 339;
const FLOAT = 3;
/** Associated and unassociated alpha, as TIFF 6.0 numbers them; 0 says nothing. */
const ALPHA = [1, 2];

/**
 * What the first extra band of a TIFF is, by its ExtraSamples: libvips takes any for transparency, also near infrared.
 * `none` for anything that is not a TIFF, or whose directory cannot be read: whoever decodes it finds out.
 */
export function extraBand(bytes: Uint8Array): ExtraBand {
  const first = tagOf(bytes, EXTRA_SAMPLES);
  if (first === undefined) return 'none';
  return ALPHA.includes(first) ? 'transparency' : 'something else';
}

/** Whether the samples of a TIFF are of floating point; not of anything that is no TIFF, or damaged. */
export function isFloatTiff(bytes: Uint8Array): boolean {
  return tagOf(bytes, SAMPLE_FORMAT) === FLOAT;
}

/** Undefined where a file ends before. */
function tagOf(bytes: Uint8Array, tag: number): number | undefined {
  try {
    return readTag(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), tag);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The first value of a tag of shorts in the first directory. Throws RangeError where the file ends before. */
function readTag(view: DataView, wanted: number): number | undefined {
  const mark = view.getUint16(0);
  if (mark !== 0x4949 && mark !== 0x4d4d) return undefined;
  const isLittle = mark === 0x4949;
  const isBig = view.getUint16(2, isLittle) === 43;
  const far = (at: number): number =>
    isBig ? Number(view.getBigUint64(at, isLittle)) : view.getUint32(at, isLittle);
  const directory = far(isBig ? 8 : 4);
  const count = isBig ? far(directory) : view.getUint16(directory, isLittle);
  const [first, step, inline] = isBig ? [directory + 8, 20, 8] : [directory + 2, 12, 4];
  for (let i = 0; i < count; i++) {
    const entry = first + i * step;
    if (view.getUint16(entry, isLittle) !== wanted) continue;
    const length = far(entry + 4);
    const value = entry + step - inline;
    // Shorts of 2 bytes lie in the entry itself where they fit.
    return view.getUint16(2 * length <= inline ? value : far(value), isLittle);
  }
  return undefined;
}
