import assert from 'node:assert/strict';
import sharp from 'sharp';

/** Sides of what is made here. */
export const SIZE = 16;

/** A TIFF of one strip; every pixel has these samples. */
export function tiff(
  pixel: readonly number[],
  { isFloat = false, extra }: { readonly isFloat?: boolean; readonly extra?: number } = {},
): Uint8Array {
  const [bits, spp] = [isFloat ? 32 : 8, pixel.length];
  const data = Buffer.alloc((SIZE * SIZE * spp * bits) / 8);
  for (let i = 0; i < SIZE * SIZE * spp; i++) {
    const value = pixel[i % spp] ?? 0;
    if (isFloat) data.writeFloatLE(value, 4 * i);
    else data[i] = value;
  }
  const same = (value: number): number[] => Array.from({ length: spp }, () => value);
  const tags: [tag: number, type: 3 | 4, values: number[]][] = [
    ...([256, 257] as const).map((tag): [number, 4, number[]] => [tag, 4, [SIZE]]),
    [258, 3, same(bits)],
    [259, 3, [1]],
    [262, 3, [spp >= 3 ? 2 : 1]],
    [273, 4, [8]],
    [277, 3, [spp]],
    [278, 4, [SIZE]],
    [279, 4, [data.length]],
    ...(extra === undefined ? [] : ([[338, 3, [extra]]] as [number, 3, number[]][])),
    [339, 3, same(isFloat ? 3 : 1)],
  ];
  const directory = Buffer.alloc(2 + 12 * tags.length + 4);
  const behind: Buffer[] = [];
  const end = 8 + data.length + directory.length;
  directory.writeUInt16LE(tags.length);
  for (const [i, [tag, type, values]] of tags.entries()) {
    const at = 2 + 12 * i;
    const bytes = Buffer.alloc(Math.max(4, values.length * (type === 3 ? 2 : 4)));
    for (const [n, value] of values.entries())
      if (type === 3) bytes.writeUInt16LE(value, 2 * n);
      else bytes.writeUInt32LE(value, 4 * n);
    directory.writeUInt16LE(tag, at);
    directory.writeUInt16LE(type, at + 2);
    directory.writeUInt32LE(values.length, at + 4);
    if (bytes.length === 4) bytes.copy(directory, at + 8);
    else directory.writeUInt32LE(end + behind.reduce((sum, { length }) => sum + length, 0), at + 8);
    if (bytes.length > 4) behind.push(bytes);
  }
  const head = Buffer.from('II*\0\0\0\0\0', 'latin1');
  head.writeUInt32LE(8 + data.length, 4);
  return Buffer.concat([head, data, directory, ...behind]);
}

/** A red GIF of 8 x 8 on a canvas of 16 x 16, at (4, 6). */
export async function offsetGif(): Promise<Uint8Array> {
  const create = { width: 8, height: 8, channels: 3, background: '#f00' } as const;
  const gif = await sharp({ create }).gif().toBuffer();
  gif.writeUInt16LE(16, 6);
  gif.writeUInt16LE(16, 8);
  let at = 13 + ((gif[10] ?? 0) & 0x80 ? 3 * 2 ** (((gif[10] ?? 0) & 7) + 1) : 0);
  while (gif[at] === 0x21) {
    at += 2;
    while (gif[at] !== 0) at += 1 + (gif[at] ?? 0);
    at += 1;
  }
  assert.equal(gif[at], 0x2c);
  gif.writeUInt16LE(4, at + 1);
  gif.writeUInt16LE(6, at + 3);
  return gif;
}
