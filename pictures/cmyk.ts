import type { Pixels } from './bicubic.ts';

/** Pillow's rule for CMYK without colour management: each ink takes its share of what black leaves. [h, w, 4] -> [h, w, 3]. */
export function cmykToRgb({ data, width, height }: Pixels): Pixels {
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0, to = 0; i < data.length; i += 4) {
    const light = 255 - (data[i + 3] as number);
    for (let c = 0; c < 3; c++) rgb[to++] = light - share((data[i + c] as number) * light);
  }
  return { data: rgb, width, height, channels: 3 };
}

/** A product of two bytes divided by 255, rounded. */
function share(product: number): number {
  const shifted = product + 128;
  return ((shifted >> 8) + shifted) >> 8;
}
