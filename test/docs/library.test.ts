import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { drawPicture } from '../pipeline/pictures.ts';

const ROOT = fixture('../..');

test('docs/library.md: its program runs as it stands, and leaves output, signals and environment alone', {
  timeout: 300_000,
}, async (t) => {
  const doc = await readFile(join(ROOT, 'docs/library.md'), 'utf8');
  const blocks = [...doc.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code = '']) => code);
  assert.ok(blocks.length >= 6);
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'pictures'));
  for (let n = 0; n < 4; n++) await writeFile(join(folder, `pictures/${n}.png`), await drawPicture(n));
  await writeFile(join(folder, 'pictures/broken.png'), 'no picture');
  // Said before and after, so that nothing else can come between.
  const watch = `const surroundings = () => JSON.stringify([process.env, process.eventNames()]);\nconst before = surroundings();\n`;
  const program =
    `${blocks.join('\n')}\nconsole.log(surroundings() === before ? 'UNTOUCHED' : surroundings());\n`
      .replaceAll("'vlmo-pipeline'", JSON.stringify(pathToFileURL(join(ROOT, 'index.ts')).href))
      .replaceAll('node_modules/vlmo-pipeline', ROOT);
  const [imports = '', ...rest] = program.split('\n\n');
  await writeFile(join(folder, 'program.ts'), [imports, watch, ...rest].join('\n\n'));
  const child = spawn(process.execPath, ['program.ts'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  assert.equal(code, 0, err);
  const lines = out.trim().split('\n');
  assert.equal(lines[0], 'complete: 4 stored, 1 failed');
  assert.match(lines[1] ?? '', /^1 \d\.png 0\.\d+$/);
  assert.ok(lines.includes('4 queries answered'));
  assert.ok(lines.includes('SEARCH_ITEM_NOT_FOUND false'));
  assert.ok(lines.some((line) => line.startsWith('broken.png IMAGE_INVALID ')));
  assert.ok(lines.includes('4 0 complete 1'));
  assert.equal(lines.at(-1), 'UNTOUCHED');
});
