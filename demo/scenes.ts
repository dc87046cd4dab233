import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
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
  const scenes = text.trimEnd().split('\n').map(parseScene);
  const svgs = new Map((await readDrawings()).map(({ name, svg }) => [name, svg]));
  const version = createHash('sha256').update(text).digest('hex');
  await fillFolder(folder, version, scenes, async (into, scene) => {
    await writeFile(join(into, `${scene.name}.png`), await draw(scene, svgs));
    await writeFile(join(into, `${scene.name}.txt`), `${scene.caption}\n`);
  });
  return scenes;
}

function parseScene(line: string, i: number): Scene {
  return { ...sceneSchema.parse(JSON.parse(line)), name: String(i).padStart(4, '0') };
}

async function draw(
  { back: [top, bottom], things }: Scene,
  svgs: ReadonlyMap<string, string>,
): Promise<Buffer> {
  const background = `<svg xmlns="http://www.w3.org/2000/svg" width="${PIXELS}" height="${PIXELS}"><linearGradient id="g" x2="0" y2="1"><stop stop-color="${top}"/><stop offset="1" stop-color="${bottom}"/></linearGradient><rect width="100%" height="100%" fill="url(#g)"/></svg>`;
  const overlays = things.map(async ([name, colour, x, y, side]) => {
    const size = Math.round((side / 1000) * PIXELS);
    const { data, info } = await sharp(Buffer.from(svgs.get(name) ?? ''))
      .resize(size, size, { fit: 'contain', background: '#ffffff00' })
      .ensureAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    if (colour !== null) tint(data, colour);
    const [left, above] = [x, y].map((centre) => Math.round((centre / 1000) * PIXELS - size / 2));
    return {
      input: data,
      raw: { width: info.width, height: info.height, channels: 4 as const },
      left,
      top: above,
    };
  });
  return sharp(Buffer.from(background))
    .composite(await Promise.all(overlays))
    .removeAlpha()
    .png()
    .toBuffer();
}
