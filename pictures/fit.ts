import type { PictureSpec } from './picture-spec.ts';
import type { Pixels } from './resample.ts';

interface Sides {
  readonly width: number;
  readonly height: number;
}

/** What a picture of these sides is resized to, [height, width], before anything is cut off or filled up. */
export function resizedSides(
  { size, fit }: PictureSpec,
  { width, height }: Sides,
): readonly [number, number] {
  if (fit === 'squash') return size;
  if (fit === 'pad') {
    const ratio = Math.min(size[0] / height, size[1] / width);
    return [atMost(size[0], height * ratio), atMost(size[1], width * ratio)];
  }
  const edge = Math.min(...size);
  // Truncated, as image processors do.
  return width <= height
    ? [Math.max(edge, Math.trunc((edge * height) / width)), edge]
    : [edge, Math.max(edge, Math.trunc((edge * width) / height))];
}

/** A resized picture as the model reads it: filled up around, or its middle cut out. [h, w, C] -> [H, W, C]. */
export function framed(picture: Pixels, { size, fit, crop, mean }: PictureSpec): Pixels {
  const background = mean.map((value) => Math.round(255 * value));
  const filled = fit === 'pad' ? window(picture, size, background) : picture;
  return crop ? window(filled, crop, background) : filled;
}

/** The middle of a picture in this size; what lies outside of the picture is background. */
function window(
  picture: Pixels,
  [height, width]: readonly [number, number],
  background: readonly number[],
): Pixels {
  if (height === picture.height && width === picture.width) return picture;
  const { channels } = picture;
  const data = new Uint8Array(height * width * channels);
  for (let i = 0; i < data.length; i++) data[i] = background[i % channels] ?? 0;
  const [top, left] = [Math.floor((picture.height - height) / 2), Math.floor((picture.width - width) / 2)];
  const [from, to] = [Math.max(0, left), Math.min(picture.width, left + width)];
  for (let y = Math.max(0, top); y < Math.min(picture.height, top + height); y++) {
    const row = picture.data.subarray(
      (y * picture.width + from) * channels,
      (y * picture.width + to) * channels,
    );
    data.set(row, ((y - top) * width + (from - left)) * channels);
  }
  return { data, width, height, channels };
}

function atMost(most: number, side: number): number {
  return Math.min(most, Math.max(1, Math.round(side)));
}
