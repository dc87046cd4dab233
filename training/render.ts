// Stage 1: draws the icon packages with sharp and names each drawing by Unicode CLDR.
//   node training/render.ts ICONS OUT       ICONS: folder where training/package.json is installed
// Writes OUT/concepts.json (what is drawn: name and keywords), OUT/train.{bin,json} (drawings of the training
// styles, 128 px) and OUT/openmoji.{bin,json} (the style held out whole, 256 px). A .bin holds WebP pictures end
// to end, its .json one [style, concept, bytes] for each.
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';

/** Emoji fonts: their icons are named by code point (chars.json) or by the same names as Noto's. */
// biome-ignore format: a list of names
const EMOJI_STYLES = [
  'noto', 'noto-v1', 'twemoji', 'fluent-emoji', 'fluent-emoji-flat', 'fluent-emoji-high-contrast',
  'emojione', 'emojione-monotone', 'fxemoji', 'streamline-emojis',
];
/** General icon sets, for their outlines: captioned with the icon's own name and tags. The pattern picks one weight of each icon. */
const ICON_STYLES: Readonly<Record<string, RegExp>> = {
  'icon-park': /^(.+?)(?:-(?:one|two|three|four))?$/,
  'flat-color-icons': /^(.+)$/,
  ph: /^(.+?)(?:-duotone)?$/,
  tabler: /^(.+)$/,
  lucide: /^(.+?)(?:-\d+)?$/,
  'streamline-ultimate-color': /^(.+?)(?:-\d+)?$/,
  'streamline-plump-color': /^(.+?)(?:-\d+)?(?:-flat)?$/,
};
const HELD_OUT = 'openmoji';
const TRAIN_PX = 128;
const HELD_OUT_PX = 256;
/** Interface signs that say nothing to a person who searches pictures, and weights of an icon already taken. */
const NOT_A_THING =
  /^(brand|logo|align|layout|letter|number|caret|chevron|text|file|device|currency|border|box|code|circle|square|hexagon|math|zodiac|sort|table|interface|programming|app)\b|arrow|\b(bold|fill|filled|light|thin|off|outline|plus|minus|check|cancel|x)$|[^a-z-]/;

interface Icons {
  readonly icons: Readonly<Record<string, Icon>>;
  readonly width?: number;
  readonly height?: number;
}
interface Icon {
  readonly body: string;
  readonly width?: number;
  readonly height?: number;
  readonly left?: number;
  readonly top?: number;
}
interface Concept {
  readonly name: string;
  readonly tts: string;
  readonly keywords: readonly string[];
  /** The emoji; absent for a concept known from a general icon set alone. */
  readonly char?: string;
}
type Annotations = Readonly<
  Record<string, { readonly tts?: readonly string[]; readonly default?: readonly string[] }>
>;

const [iconsFolder = '.', out = '.train/data', ...only] = process.argv.slice(2);
const load = createRequire(join(resolve(iconsFolder), 'index.js'));
sharp.concurrency(1);
sharp.cache(false);
await mkdir(out, { recursive: true });

const tags = await tagsOfIcons();
const concepts: Concept[] = [];
const byName = new Map<string, number>();
const byChar = new Map<string, number>();
const squashedNames = new Map<string, number>();
nameEmoji();
const heldOut = emojiOf(HELD_OUT);
const training = [...EMOJI_STYLES.flatMap(emojiOf), ...Object.entries(ICON_STYLES).flatMap(iconsOf)];
if (only.length === 0 || only.includes('train')) await write('train', training, TRAIN_PX);
if (only.length === 0 || only.includes(HELD_OUT)) await write(HELD_OUT, heldOut, HELD_OUT_PX);
await writeFile(join(out, 'concepts.json'), JSON.stringify(concepts));

/** Tags of Lucide's, Tabler's and Phosphor's icons, by icon name: what a general icon is found by. */
async function tagsOfIcons(): Promise<ReadonlyMap<string, readonly string[]>> {
  type Tagged = { readonly name: string; readonly tags: readonly string[] };
  const phosphor = (await import(pathToFileURL(load.resolve('@phosphor-icons/core')).href)) as unknown as {
    readonly icons?: readonly Tagged[];
    readonly default?: { readonly icons: readonly Tagged[] };
  };
  const found = new Map<string, Set<string>>();
  const add = (name: string, words: readonly string[]): void => {
    const some = found.get(name) ?? new Set();
    for (const word of words) if (/^[a-z][a-z ]+$/i.test(`${word}`)) some.add(`${word}`.toLowerCase());
    found.set(name, some);
  };
  const lucide = load('lucide-static/tags.json') as Record<string, readonly string[]>;
  const tabler = load('@tabler/icons/icons.json') as Record<string, Tagged>;
  for (const [name, words] of Object.entries(lucide)) add(name, words);
  for (const [name, icon] of Object.entries(tabler)) add(name, icon.tags);
  for (const { name, tags: words } of phosphor.icons ?? phosphor.default?.icons ?? []) add(name, words);
  return new Map([...found].map(([name, words]) => [name, [...words].filter((word) => word !== name)]));
}

/** One concept per emoji that CLDR describes (no flags, families or skin tones), under the name Noto gives it. */
function nameEmoji(): void {
  const cldr = (
    load('cldr-annotations-full/annotations/en/annotations.json') as {
      annotations: { annotations: Annotations };
    }
  ).annotations.annotations;
  const chars = load('@iconify-json/noto/chars.json') as Record<string, string>;
  for (const [hex, name] of Object.entries(chars)) {
    const char = plain(fromHex(hex));
    const note = cldr[char] ?? cldr[`${char}\uFE0F`];
    const tts = note?.tts?.[0];
    if (tts === undefined || byName.has(name) || /skin-tone/.test(name)) continue;
    byName.set(name, concepts.length);
    byChar.set(char, concepts.length);
    concepts.push({ name, tts, keywords: note?.default ?? [], char });
  }
}

function plain(char: string): string {
  return char.replaceAll('\uFE0F', '');
}

function fromHex(hex: string): string {
  return String.fromCodePoint(...hex.split('-').map((h) => Number.parseInt(h, 16)));
}

type Drawing = readonly [style: string, concept: number, svg: (px: number) => Buffer];

/** The drawings of one emoji font: at most one for each concept. */
function emojiOf(style: string): Drawing[] {
  const set = load(`@iconify-json/${style}/icons.json`) as Icons;
  const chars = load(`@iconify-json/${style}/chars.json`) as Record<string, string>;
  const found = new Map<number, string>();
  for (const name of Object.keys(set.icons)) {
    const alike =
      style === HELD_OUT ? undefined : squashed().get(name.replace(/-\d+$/, '').replaceAll('-', ''));
    const concept = byName.get(name) ?? alike;
    if (concept !== undefined && !found.has(concept)) found.set(concept, name);
  }
  for (const [hex, name] of Object.entries(chars)) {
    const concept = style === HELD_OUT ? undefined : byChar.get(plain(fromHex(hex)));
    if (concept !== undefined && !found.has(concept) && set.icons[name]) found.set(concept, name);
  }
  return [...found].map(([concept, name]) => [style, concept, svgOf(set, name)]);
}

/** Names without separators, as fxemoji writes them, and CLDR's own names in the same form. */
function squashed(): Map<string, number> {
  if (squashedNames.size > 0) return squashedNames;
  concepts.forEach(({ name, tts }, i) => {
    for (const text of [name, tts]) squashedNames.set(text.toLowerCase().replace(/[^a-z0-9]/g, ''), i);
  });
  return squashedNames;
}

/** The drawings of a general icon set: an emoji's name makes it that concept, another name a concept of its own. */
function iconsOf([style, pattern]: [string, RegExp]): Drawing[] {
  const set = load(`@iconify-json/${style}/icons.json`) as Icons;
  const drawings: Drawing[] = [];
  for (const icon of Object.keys(set.icons)) {
    const name = pattern.exec(icon)?.[1] ?? icon;
    if (NOT_A_THING.test(name) || name.split('-').length > 3) continue;
    const concept = squashed().get(name.replaceAll('-', '')) ?? byName.get(name) ?? concepts.length;
    if (concept === concepts.length) {
      byName.set(name, concept);
      concepts.push({ name, tts: name.replaceAll('-', ' '), keywords: tags.get(name) ?? [] });
    }
    drawings.push([style, concept, svgOf(set, icon)]);
  }
  return drawings;
}

function svgOf(set: Icons, name: string): (px: number) => Buffer {
  const icon = set.icons[name] as Icon;
  const [width, height] = [icon.width ?? set.width ?? 16, icon.height ?? set.height ?? 16];
  const box = `${icon.left ?? 0} ${icon.top ?? 0} ${width} ${height}`;
  return (px) =>
    Buffer.from(
      `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${px}" height="${px}" viewBox="${box}">${icon.body}</svg>`,
    );
}

/** Draws at twice the size, shrinks and stores as WebP. */
async function write(file: string, drawings: readonly Drawing[], px: number): Promise<void> {
  const pictures: Buffer[] = [];
  const rows: [string, number, number][] = [];
  for (const [style, concept, svg] of drawings) {
    const picture = sharp(svg(2 * px)).resize(px, px);
    const lossless = file === HELD_OUT;
    const webp = await picture.webp(lossless ? { lossless } : { quality: 75, alphaQuality: 80 }).toBuffer();
    pictures.push(webp);
    rows.push([style, concept, webp.length]);
  }
  await writeFile(join(out, `${file}.bin`), Buffer.concat(pictures));
  await writeFile(join(out, `${file}.json`), JSON.stringify({ px, rows }));
  const perStyle = new Map<string, [number, number]>();
  for (const [style, , bytes] of rows) {
    const [n, sum] = perStyle.get(style) ?? [0, 0];
    perStyle.set(style, [n + 1, sum + bytes]);
  }
  for (const [style, [n, bytes]] of perStyle) console.log(style, n, 'drawings', bytes, 'bytes');
}
