import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { seededRandom } from '../fixtures/files.ts';

const SIDE = 24;

/** The bytes of a small picture of coloured blocks; another one for every number. */
export async function drawPicture(number: number, format: 'png' | 'jpeg' = 'png'): Promise<Buffer> {
  const random = seededRandom(number + 1);
  const blocks = Buffer.from(Array.from({ length: 3 * 9 }, () => Math.floor(random() * 256)));
  return sharp(blocks, { raw: { width: 3, height: 3, channels: 3 } })
    .resize(SIDE, SIDE, { kernel: 'nearest' })
    .toFormat(format)
    .toBuffer();
}

/** The names that `drawPictures` gives. */
export function pictureName(number: number): string {
  return `p${String(number).padStart(4, '0')}.${number % 3 === 0 ? 'jpg' : 'png'}`;
}

/** Pictures of the numbers `from` to `to - 1` in a folder. */
export async function drawPictures(folder: string, from: number, to: number): Promise<void> {
  for (let number = from; number < to; number++) {
    const format = number % 3 === 0 ? 'jpeg' : 'png';
    await put(folder, pictureName(number), await drawPicture(number, format));
  }
}

/** Writes a file of a source, its folders included. */
export async function put(folder: string, name: string, content: string | Uint8Array): Promise<void> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}
