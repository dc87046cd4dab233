import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp, { type OverlayOptions } from 'sharp';
import { z } from 'zod';
import { readDrawings } from './drawings.ts';
import { fillFolder } from './fill-folder.ts';
import { tint } from './tint.ts';

/**
 * The held-out scenes: two to four OpenMoji drawings on a background, with a caption that says what, how many, which
 * colour and where. scenes.jsonl describes them (training/scenes.py wrote it); families of four differ in one point each.
 */

const PIXELS = 256;
const DESCRIPTIONS = new URL('scenes.jsonl', import.meta.url);

const sceneSchema = z.object({
  caption: z.string(),
  /** Colours of the background at the top and at the bottom. */
  back: z.tuple([z.string(), z.string()]),
  /** Drawing, colour, then centre and side in thousandths of the picture; the later ones lie on top. */
  things: z.array(z.tuple([z.string(), z.string().nullable(), z.number(), z.number(), z.number()])),
});
export type Scene = z.infer<typeof sceneSchema> & { readonly name: string };

/** Draws them into `folder` (NAME.png with NAME.txt beside) unless they are there already. */
export async function drawScenes(folder: string): Promise<readonly Scene[]> {
  const text = await readFile(DESCRIPTIONS, 'utf8');
  const scenes = parseScenes(text);
  const svgs = new Map((await readDrawings()).map(({ name, svg }) => [name, svg]));
  const version = createHash('sha256').update(text).digest('hex');
  await fillFolder(folder, version, scenes, async (into, scene) => {
    await writeFile(join(into, `${scene.name}.png`), await drawScene(scene, svgs));
    await writeFile(join(into, `${scene.name}.txt`), `${scene.caption}\n`);
  });
  return scenes;
}

/** One scene a line; its place in the file names it. */
export function parseScenes(text: string): readonly Scene[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line, i) => ({ ...sceneSchema.parse(JSON.parse(line)), name: String(i).padStart(4, '0') }));
}

/** A PNG. `svgs`: the drawings by their names. */
export async function drawScene({ back, things }: Scene, svgs: ReadonlyMap<string, string>): Promise<Buffer> {
  const overlays = await Promise.all(things.map((thing) => overlay(thing, svgs)));
  return sharp(background(back)).composite(overlays).removeAlpha().png().toBuffer();
}

function background([top, bottom]: Scene['back']): Buffer {
  const gradient = `<linearGradient id="g" x2="0" y2="1"><stop stop-color="${top}"/><stop offset="1" stop-color="${bottom}"/></linearGradient>`;
  return Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${PIXELS}" height="${PIXELS}">${gradient}<rect width="100%" height="100%" fill="url(#g)"/></svg>`,
  );
}

async function overlay(
  [name, colour, x, y, side]: Scene['things'][number],
  svgs: ReadonlyMap<string, string>,
): Promise<OverlayOptions> {
  const svg = svgs.get(name);
  if (svg === undefined)
    throw new Error(`Cannot draw scene: expected a drawing of OpenMoji, received "${name}"`);
  const size = pixels(side);
  const data = await sharp(Buffer.from(svg))
    .resize(size, size, { fit: 'contain', background: '#ffffff00' })
    .ensureAlpha()
    .raw()
    .toBuffer();
  if (colour !== null) tint(data, colour);
  const corner = (centre: number): number => Math.round(pixels(centre) - size / 2);
  return { input: data, raw: { width: size, height: size, channels: 4 }, left: corner(x), top: corner(y) };
}

function pixels(thousandths: number): number {
  return Math.round((thousandths / 1000) * PIXELS);
}
