import type { Pixels } from './resample.ts';

/**
 * Pillow's rule for CMYK without colour management: each ink takes its share of what black leaves. A fifth channel is
 * how much of it covers white, where it is transparency. [h, w, 4 or more] -> [h, w, 3].
 */
export function cmykToRgb({ data, width, height, channels }: Pixels, hasAlpha: boolean): Pixels {
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0, to = 0; i < data.length; i += channels) {
    const light = 255 - (data[i + 3] as number);
    const cover = hasAlpha ? (data[i + 4] as number) : 255;
    for (let c = 0; c < 3; c++) {
      const ink = share((data[i + c] as number) * light);
      rgb[to++] = 255 - share((255 - light + ink) * cover);
    }
  }
  return { data: rgb, width, height, channels: 3 };
}

/** A product of two bytes divided by 255, rounded. */
function share(product: number): number {
  const shifted = product + 128;
  return ((shifted >> 8) + shifted) >> 8;
}
