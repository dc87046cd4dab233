import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { embedQuery, type Query } from '#search/query.ts';
import { type Hit, search } from '#search/search.ts';
import { openStore } from '#store/open-store.ts';
import { contactSheet, type SheetRow } from './contact-sheet.ts';
import { drawOpenMoji } from './drawings.ts';

/** `npm run demo`: draws pictures, indexes them with the bundled model, searches them, and shows what came out. */

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUT = join(ROOT, 'demo/out');
const PICTURES = join(OUT, 'pictures');
const INDEX = join(OUT, 'index');
const SHEET = join(OUT, 'contact-sheet.html');
const MODEL = join(ROOT, 'models/demo');
/** Names and keywords, where the model is at its best, and one free phrase, where it mostly is not. */
const TEXTS = [
  'red apple',
  'a slice of pizza',
  'umbrella with rain drops',
  'sad face',
  'dog, pet, puppy',
  'something to drink',
];
const PICTURE = join(PICTURES, 'violin.png');
const PLACES = ['first', 'second', 'third'];
const SHOWN_ON_SHEET = 8;

step('1. Drawing OpenMoji pictures (CC BY-SA 4.0), with their Unicode names and keywords as captions');
console.log(
  `   ${await drawOpenMoji(PICTURES)} pictures in ${shown(PICTURES)}, each with a .txt of two captions beside it`,
);

step('2. Indexing them');
vlmo('index', shown(PICTURES), '--index', shown(INDEX), '--model', shown(MODEL));

step('3. Searching');
const rows = await searchAll();
console.table(Object.fromEntries(rows.map(tableRow)));
await writeFile(SHEET, await contactSheet(rows));
console.log(`   All hits as pictures: ${shown(SHEET)}`);

step('Now you');
console.log(`   npx vlmo search "birthday, cake, candle" --index ${shown(INDEX)}
   npx vlmo search --image ${shown(join(PICTURES, 'sunflower.png'))} --index ${shown(INDEX)}
   npx vlmo search "blue circle" --in captions -k 3 --index ${shown(INDEX)} --json
   npx vlmo index YOUR_FOLDER --index my-index --model demo

   The bundled model has 11.7 million parameters and knows drawings only, by name and keyword: photographs and free
   descriptions ("something to drink") are beyond it. The README says how to bring the published weights.`);

async function searchAll(): Promise<SheetRow[]> {
  await using store = await openStore(INDEX, { create: false });
  const record = await store.activeGeneration('default');
  if (!record) throw new Error(`The index "${INDEX}" has nothing in it: this is a bug`);
  const tables = await store.tables(record);
  const find = async (query: Query): Promise<readonly Hit[]> => {
    const vector = await embedQuery(tables, query, { modelPath: MODEL, maxPixels: 1e8 });
    return search(tables, vector, { in: 'images', k: SHOWN_ON_SHEET });
  };
  const results: SheetRow[] = [];
  for (const text of TEXTS) results.push({ query: text, hits: await find({ kind: 'text', text }) });
  const bytes = await readFile(PICTURE);
  results.push({ query: 'like this picture', picture: PICTURE, hits: await find({ kind: 'image', bytes }) });
  return results;
}

function tableRow({ query, picture, hits }: SheetRow): [string, Record<string, string>] {
  const cells = hits
    .slice(0, PLACES.length)
    .map(({ caption, id, score }, i) => [PLACES[i], `${caption ?? id} (${score.toFixed(2)})`]);
  return [picture ? `like ${relative(PICTURES, picture)}` : query, Object.fromEntries(cells)];
}

function vlmo(...args: string[]): void {
  console.log(`   $ npx vlmo ${args.join(' ')}`);
  const { status } = spawnSync(process.execPath, [join(ROOT, 'bin/vlmo.js'), ...args], {
    stdio: 'inherit',
    cwd: ROOT,
  });
  if (status !== 0) process.exit(status ?? 1);
}

function shown(path: string): string {
  return relative(ROOT, path);
}

function step(title: string): void {
  console.log(`\n${title}`);
}
