import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SearchAnswer, SearchRequest } from '#search/request.ts';
import { openIndex } from '#service/open-index.ts';
import { contactSheet, type SheetRow } from './contact-sheet.ts';
import { drawOpenMoji } from './drawings.ts';
import { drawScenes, type Scene } from './scenes.ts';

/** `npm run demo`: draws pictures, indexes them with the bundled model, searches them, and shows what came out. */

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUT = join(ROOT, 'demo/out');
const PICTURES = join(OUT, 'pictures');
const DRAWINGS = join(PICTURES, 'drawings');
const SCENES = join(PICTURES, 'scenes');
const INDEX = join(OUT, 'index');
const SHEET = join(OUT, 'contact-sheet.html');
const MODEL = join(ROOT, 'models/demo');
/** Names and keywords, where the model is at its best, and free descriptions, of which it finds some. */
const TEXTS = [
  'red apple',
  'a slice of pizza',
  'bicycle',
  'sad face',
  'dog, pet, puppy',
  'something to drink',
  'a musical instrument with strings',
  'a pet that meows',
];
const PICTURE = join(DRAWINGS, 'violin.png');
/** Scenes searched for by their own captions: every 199th, as they come. */
const SCENES_SHOWN = [199, 398, 597, 796, 995];
/** So many of the best by cosine are read again by the fusion encoder. */
const RERANKED = 32;
const PLACES = ['first', 'second', 'third'];
const SHOWN_ON_SHEET = 8;

step(
  '1. Drawing OpenMoji pictures (CC BY-SA 4.0), with their Unicode names and keywords as captions, and scenes of them',
);
const drawings = await drawOpenMoji(DRAWINGS);
const scenes = await drawScenes(SCENES);
console.log(
  `   ${drawings} drawings and ${scenes.length} scenes in ${shown(PICTURES)}, each with a .txt of its captions`,
);

step('2. Indexing them');
vlmo('index', shown(PICTURES), '--index', shown(INDEX), '--model', shown(MODEL), '--caption-lines');

step('3. Searching');
const { singles, composed } = await searchAll();
console.table(Object.fromEntries(singles.map(tableRow)));
console.log(`   Scenes: the best by cosine, and what the fusion encoder makes first of the best ${RERANKED}`);
console.table(Object.fromEntries(composed.map(sceneRow)));
await writeFile(SHEET, await contactSheet([...singles, ...composed.flatMap(({ rows }) => rows)]));
console.log(`   All hits as pictures: ${shown(SHEET)}`);

step('Now you');
console.log(`   npx vlmo search "birthday, cake, candle" --index ${shown(INDEX)}
   npx vlmo search --image ${shown(join(DRAWINGS, 'sunflower.png'))} --index ${shown(INDEX)}
   npx vlmo search "blue circle" --in captions -k 3 --index ${shown(INDEX)} --json
   npx vlmo index YOUR_FOLDER --index my-index --model demo

   The bundled model has 12.4 million parameters and knows drawings only, by name and keyword, and scenes of them:
   most free descriptions and all photographs are beyond it. The README says how to bring other models.`);

interface SceneSearch {
  readonly scene: Scene;
  /** By cosine, and the same hits in the order of the fusion encoder. */
  readonly rows: readonly [SheetRow, SheetRow];
}

async function searchAll(): Promise<{ singles: readonly SheetRow[]; composed: readonly SceneSearch[] }> {
  await using index = await openIndex(INDEX, { model: MODEL });
  const find = (request: SearchRequest): Promise<SearchAnswer> =>
    index.search({ ...request, k: SHOWN_ON_SHEET });
  const singles: SheetRow[] = [];
  for (const text of TEXTS) singles.push({ query: text, hits: (await find({ text })).hits });
  const { hits } = await find({ image: PICTURE });
  singles.push({ query: 'like this picture', picture: PICTURE, hits });

  const composed: SceneSearch[] = [];
  for (const scene of SCENES_SHOWN.map((i) => scenes[i]).filter((scene) => scene !== undefined)) {
    const text = scene.caption;
    const right = join(SCENES, `${scene.name}.png`);
    const row = (how: string, { hits }: SearchAnswer): SheetRow => ({ query: text, how, right, hits });
    const again = await find({ text, rerank: RERANKED });
    composed.push({
      scene,
      rows: [row('by cosine', await find({ text })), row(`the best ${RERANKED} by match and cosine`, again)],
    });
  }
  return { singles, composed };
}

function tableRow({ query, picture, hits }: SheetRow): [string, Record<string, string>] {
  const cells = hits
    .slice(0, PLACES.length)
    .map(({ caption, id, score }, i) => [PLACES[i], `${caption ?? id} (${score.toFixed(2)})`]);
  return [picture ? `like ${relative(PICTURES, picture)}` : query, Object.fromEntries(cells)];
}

function sceneRow({ scene, rows }: SceneSearch): [string, Record<string, string>] {
  const [cosine, match] = rows.map(({ hits, right }) => {
    const first = hits[0];
    return `${first?.uri === right ? 'right' : 'wrong'}: ${first?.caption}`;
  });
  return [scene.caption, { 'by cosine': cosine ?? '', 're-ranked': match ?? '' }];
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
