import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import sharp from 'sharp';
import { z } from 'zod';
import { fillFolder } from './fill-folder.ts';

/** OpenMoji drawings (CC BY-SA 4.0) as pictures, with the names and keywords of Unicode CLDR as captions. */

const require = createRequire(import.meta.url);
const PIXELS = 128;

const iconsSchema = z.object({
  width: z.number(),
  height: z.number(),
  icons: z.record(
    z.string(),
    z.object({ body: z.string(), width: z.number().optional(), height: z.number().optional() }),
  ),
});
const charsSchema = z.record(z.string(), z.string());
const annotationsSchema = z.object({
  annotations: z.object({
    annotations: z.record(
      z.string(),
      z.object({ default: z.array(z.string()).optional(), tts: z.array(z.string()).optional() }),
    ),
  }),
});

export interface Drawing {
  /** Name in the icon set, and of the file. */
  readonly name: string;
  readonly svg: string;
  readonly title: string;
  readonly keywords: readonly string[];
}

/** Draws everything into `folder` (NAME.png with NAME.txt beside) unless it is there already; returns how many. */
export async function drawOpenMoji(folder: string): Promise<number> {
  const drawings = await readDrawings();
  await fillFolder(folder, String(drawings.length), drawings, draw);
  return drawings.length;
}

async function draw(folder: string, { name, svg, title, keywords }: Drawing): Promise<void> {
  const png = await sharp(Buffer.from(svg))
    .resize(PIXELS, PIXELS, { fit: 'contain', background: '#ffffff00' })
    .png()
    .toBuffer();
  await writeFile(join(folder, `${name}.png`), png);
  await writeFile(join(folder, `${name}.txt`), `${title}\n${keywords.join(', ')}\n`);
}

/** The drawings that CLDR has an English name for, those in skin tones apart: they would all look the same. */
export async function readDrawings(): Promise<Drawing[]> {
  const icons = iconsSchema.parse(await readJson('@iconify-json/openmoji/icons.json'));
  const chars = charsSchema.parse(await readJson('@iconify-json/openmoji/chars.json'));
  const { annotations } = annotationsSchema.parse(
    await readJson('cldr-annotations-full/annotations/en/annotations.json'),
  ).annotations;
  const drawings = new Map<string, Drawing>();
  for (const [hex, name] of Object.entries(chars)) {
    const icon = icons.icons[name];
    const char = String.fromCodePoint(...hex.split('-').map((code) => Number.parseInt(code, 16)));
    const annotation = annotations[char] ?? annotations[char.replaceAll('\ufe0f', '')];
    const title = annotation?.tts?.[0];
    if (!icon || title === undefined || name.includes('skin-tone') || drawings.has(name)) continue;
    const [width, height] = [icon.width ?? icons.width, icon.height ?? icons.height];
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${PIXELS}" height="${PIXELS}" viewBox="0 0 ${width} ${height}">${icon.body}</svg>`;
    drawings.set(name, { name, svg, title, keywords: annotation?.default ?? [] });
  }
  return [...drawings.values()];
}

async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await readFile(require.resolve(path), 'utf8'));
}
