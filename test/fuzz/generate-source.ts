import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SourceOptions } from '#sources/item.ts';
import { drawPicture } from '../pipeline/pictures.ts';
import { type Seeded, seeded } from './seeded.ts';
import { someText, someValue } from './values.ts';

/** A source on disk and how it is opened. */
export interface GeneratedSource {
  readonly path: string;
  readonly options: SourceOptions;
}

const COLUMNS = [
  ...[
    'image',
    'file_name',
    'path',
    'caption',
    'captions',
    'text',
    'title',
    'id',
    'image_id',
    'caption_id',
    'sentid',
  ],
  ...['year', 'tags', '__proto__', 'constructor', '', 'Caption', 'x y'],
];
const NAMES = [
  'a',
  'b',
  'A',
  'sub/c',
  'sub/caf\u00e9',
  'sub/cafe\u0301',
  'x y',
  '#1',
  '%41',
  "q'",
  '.hidden',
  '@eaDir/t',
];
const ENDINGS = ['.jpg', '.png', '.JPG', '', '.jpg!d', '.bmp', '.gif.txt'];

/** Writes the source of a seed below a folder: a table of any kind, or a folder of pictures with what lies beside them. */
export async function generateSource(seed: number, folder: string): Promise<GeneratedSource> {
  const choose = seeded(seed);
  const pictures = await writePictures(choose, folder);
  return choose.oneIn(2) ? writeTable(choose, folder, pictures) : writeBeside(choose, folder, pictures);
}

async function writePictures(choose: Seeded, folder: string): Promise<string[]> {
  const names = new Set(choose.list(1, 6, () => choose.pick(NAMES) + choose.pick(ENDINGS)));
  for (const name of names) {
    const content = choose.oneIn(6) ? Buffer.from(someText(choose)) : await drawPicture(choose.below(20));
    await put(folder, name, choose.oneIn(8) ? content.subarray(0, content.length / 2) : content);
  }
  if (choose.oneIn(8))
    await put(folder, Buffer.from([0x63, 0xe9, 0x2e, 0x6a, 0x70, 0x67]), await drawPicture(3));
  return [...names];
}

async function writeBeside(
  choose: Seeded,
  folder: string,
  pictures: readonly string[],
): Promise<GeneratedSource> {
  for (const name of pictures) {
    const stem = name.replace(/\.[^./]*$/, '');
    if (choose.oneIn(2))
      await put(folder, `${stem}.txt`, choose.oneIn(9) ? Buffer.from([0x61, 0xff]) : someText(choose));
    if (choose.oneIn(3)) await put(folder, `${stem}.json`, sidecar(choose));
  }
  if (choose.oneIn(4)) await put(folder, 'metadata.jsonl', jsonRows(choose, pictures, 'file_name'));
  if (choose.oneIn(5)) await put(folder, 'sub/metadata.csv', cells(choose, pictures, ',', true));
  if (choose.oneIn(6))
    await symlink(choose.pick([folder, '..', 'sub', '/nowhere']), join(folder, 'link')).catch(
      () => undefined,
    );
  const globs = choose.oneIn(6) ? { exclude: [choose.pick(['*.png', 'sub', '#1.jpg', '**/*.txt'])] } : {};
  return { path: folder, options: { ...globs, captionLines: choose.oneIn(4) } };
}

function sidecar(choose: Seeded): string {
  const entries = choose.list(0, 4, () => [choose.pick(COLUMNS), someValue(choose)] as const);
  const text = toJson(Object.fromEntries(entries));
  return choose.oneIn(8) ? text.slice(0, -1) : text;
}

async function writeTable(
  choose: Seeded,
  folder: string,
  pictures: readonly string[],
): Promise<GeneratedSource> {
  const format = choose.pick(['csv', 'tsv', 'jsonl', 'json'] as const);
  const delimiter = format === 'tsv' ? '\t' : choose.pick([',', ',', ';', '|', '\t']);
  const text =
    format === 'csv' || format === 'tsv'
      ? cells(choose, pictures, delimiter, choose.oneIn(2))
      : format === 'jsonl'
        ? jsonRows(choose, pictures, 'image')
        : `[${jsonRows(choose, pictures, 'image').trimEnd().split('\n').join(',\n')}]`;
  const bytes = Buffer.from(text);
  const path = join(folder, `rows.${format}`);
  // A cut in the middle, as a copy that did not end leaves it.
  await writeFile(path, choose.oneIn(10) ? bytes.subarray(0, choose.below(bytes.length + 1)) : bytes);
  return { path, options: choose.oneIn(5) ? { quote: choose.oneIn(2) } : {} };
}

function jsonRows(choose: Seeded, pictures: readonly string[], image: string): string {
  const rows = choose.list(1, 12, () => {
    if (choose.oneIn(15))
      return choose.pick(['', '[1]', 'null', '{"image": ', '{"x": NaN, "caption": Infinity}']);
    const entries = choose.list(0, 4, () => [choose.pick(COLUMNS), someValue(choose)] as const);
    return toJson(Object.fromEntries([[image, somePath(choose, pictures)], ...entries]));
  });
  return `${rows.join('\n')}\n`;
}

function cells(choose: Seeded, pictures: readonly string[], delimiter: string, quoted: boolean): string {
  const columns = ['file_name', ...choose.list(1, 4, () => choose.pick(COLUMNS))];
  const write = (cell: string): string =>
    quoted && /[",;|\t\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell.replaceAll(delimiter, ' ');
  const rows = choose.list(1, 12, () => {
    const row = columns.map((_, at) => (at === 0 ? somePath(choose, pictures) : someText(choose)));
    if (choose.oneIn(12)) row.pop();
    return row.map(write).join(delimiter);
  });
  return [columns.map(write).join(delimiter), ...rows].join(choose.pick(['\n', '\r\n']));
}

function somePath(choose: Seeded, pictures: readonly string[]): string {
  const name = choose.pick(pictures);
  return choose.pick([
    name,
    name,
    name,
    name,
    `./${name}`,
    `${name}x`,
    'ftp://example.org/a.jpg',
    someText(choose),
    '',
  ]);
}

/** JSON of values that may be too deep for `JSON.stringify` to take in one call. */
function toJson(value: unknown): string {
  return JSON.stringify(value);
}

async function put(folder: string, name: string | Buffer, content: string | Uint8Array): Promise<void> {
  const path =
    typeof name === 'string' ? join(folder, name) : Buffer.concat([Buffer.from(`${folder}/`), name]);
  if (typeof path === 'string') await mkdir(dirname(path), { recursive: true });
  // A name may be that of a folder already.
  await writeFile(path, content).catch(() => undefined);
}
