import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { drawOpenMoji } from '../demo/drawings.ts';
import { createRandom } from './random-model.ts';

const EXTENSION = /\.(jpe?g|png|webp)$/i;

/** Paths of the pictures in a folder and below it, in a stable order. */
export async function listPictures(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  return names
    .filter((name) => EXTENSION.test(name))
    .sort()
    .map((name) => join(folder, name));
}

/**
 * A folder of `count` JPEGs of this size, each another crop of a photograph out of `photographs`, or without one of a
 * drawing on a noisy background, which costs a decoder as much as a photograph does. Made once.
 */
export async function makeJpegs(
  count: number,
  width: number,
  height: number,
  photographs?: string,
): Promise<string> {
  const kind = photographs === undefined ? 'drawn' : 'crops';
  const folder = join(tmpdir(), `vlmo-bench-${kind}-${width}x${height}-${count}`);
  const known = await readdir(folder).catch(() => []);
  if (known.length === count) return folder;
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const next = createRandom(7);
  const originals = photographs === undefined ? await drawings() : await listPictures(photographs);
  for (let i = 0; i < count; i++) {
    const original = originals[i % originals.length] ?? '';
    const jpeg =
      photographs === undefined
        ? await drawn(original, width, height, next)
        : await crop(original, width, height, next);
    await writeFile(join(partial, `${String(i).padStart(6, '0')}.jpg`), jpeg);
  }
  await rm(folder, { recursive: true, force: true });
  await rename(partial, folder);
  return folder;
}

async function drawings(): Promise<string[]> {
  const folder = join(tmpdir(), 'vlmo-bench-openmoji');
  await drawOpenMoji(folder);
  return listPictures(folder);
}

async function drawn(path: string, width: number, height: number, next: () => number): Promise<Buffer> {
  const side = Math.round(Math.min(width, height) * 0.7);
  const drawing = await sharp(path).resize(side, side).png().toBuffer();
  const noise = { type: 'gaussian', mean: 110 + 90 * next(), sigma: 18 } as const;
  const background = sharp({ create: { width, height, channels: 3, background: '#888', noise } });
  return background
    .composite([{ input: drawing }])
    .jpeg({ quality: 88 })
    .toBuffer();
}

async function crop(path: string, width: number, height: number, next: () => number): Promise<Buffer> {
  const { width: w, height: h } = await sharp(path).metadata();
  const scale = Math.min(1, Math.max(width / w, height / h, 0.25 + 0.5 * next()));
  const [fullWidth, fullHeight] = [
    Math.max(width, Math.round(w * scale)),
    Math.max(height, Math.round(h * scale)),
  ];
  const [left, top] = [Math.floor(next() * (fullWidth - width)), Math.floor(next() * (fullHeight - height))];
  const resized = sharp(path).resize(fullWidth, fullHeight, { fit: 'fill' }).removeAlpha();
  return resized.extract({ left, top, width, height }).jpeg({ quality: 88 }).toBuffer();
}
