import type { Pixels } from './resample.ts';

/** Where the first frame of a GIF lies on its canvas. */
interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const [EXTENSION, IMAGE] = [0x21, 0x2c];

/**
 * The first frame of a GIF where it leaves some of the canvas free; undefined where it covers all, and for anything
 * that is not a GIF.
 */
export function partialFrame(bytes: Uint8Array): Frame | undefined {
  if (String.fromCharCode(...bytes.subarray(0, 4)) !== 'GIF8') return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const [canvasWidth, canvasHeight] = [view.getUint16(6, true), view.getUint16(8, true)];
    const flags = view.getUint8(10);
    let at = 13 + (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
    for (; view.getUint8(at) === EXTENSION; at += 1) {
      at += 2;
      for (let length = view.getUint8(at); length !== 0; length = view.getUint8(at)) at += 1 + length;
    }
    if (view.getUint8(at) !== IMAGE) return undefined;
    const [left = 0, top = 0, width = 0, height = 0] = [1, 3, 5, 7].map((n) => view.getUint16(at + n, true));
    const isWhole = left === 0 && top === 0 && width >= canvasWidth && height >= canvasHeight;
    return isWhole ? undefined : { left, top, width, height };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** White where the frame leaves the canvas free, as browsers show it; libvips leaves it black. */
export function whitenAround({ data, width, height, channels }: Pixels, frame: Frame): void {
  for (let y = 0; y < height; y++) {
    const row = data.subarray(y * width * channels, (y + 1) * width * channels);
    const isOutside = y < frame.top || y >= frame.top + frame.height;
    if (isOutside) row.fill(255);
    else {
      row.fill(255, 0, Math.min(frame.left, width) * channels);
      row.fill(255, Math.min(frame.left + frame.width, width) * channels);
    }
  }
}
