import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { drawPicture, put } from '../pipeline/pictures.ts';
import { vlmo, vlmoJson } from './cli-fixture.ts';

const MODEL = await importTiny(await temporaryFolder({ after }));

interface Summary {
  readonly stored: number;
  readonly left_out: Readonly<Record<string, number>>;
  readonly left_out_first: Readonly<Record<string, readonly string[]>>;
  readonly truncated: number;
  readonly truncated_first?: readonly string[];
  readonly caption_candidates?: readonly string[];
}

describe('the summary of what was read', () => {
  test('says what was left out, which captions were cut, and which column may hold captions', async (t) => {
    const folder = await temporaryFolder(t);
    const pictures = join(folder, 'pictures');
    await put(pictures, 'a.png', await drawPicture(1));
    await put(pictures, 'nameless', await drawPicture(2));
    await put(pictures, 'a.txt', `${'a very long caption that goes on '.repeat(30)}and ends`);
    await put(pictures, '@eaDir/a.png/THUMB.jpg', 'x');
    await put(pictures, 'notes.md', 'x');
    const index = ['--index', join(folder, 'index'), '--model', MODEL];
    const [summary] = (await vlmoJson<Summary>(['index', pictures, ...index, '--json'])).lines;
    assert.ok(summary);
    assert.equal(summary.stored, 3);
    assert.deepEqual(summary.left_out, { thumbnails: 1, other_type: 1 });
    assert.deepEqual(summary.left_out_first, { thumbnails: ['@eaDir'], other_type: ['notes.md'] });
    assert.deepEqual([summary.truncated, summary.truncated_first], [1, ['a.png#0']]);
    assert.equal(summary.caption_candidates, undefined);

    await writeFile(join(folder, 'rows.csv'), 'image,prompt\npictures/a.png,red\n');
    const { stdout } = await vlmo(['index', join(folder, 'rows.csv'), ...index, '--collection', 'table']);
    assert.match(stdout, /No captions were found.*"prompt"; --caption-column prompt reads one\./);
  });
});

test('a query longer than the model reads is said once, by search and embed', async (t) => {
  const folder = await temporaryFolder(t);
  await put(folder, 'pictures/a.png', await drawPicture(1));
  const index = ['--index', join(folder, 'index')];
  assert.equal((await vlmo(['index', join(folder, 'pictures'), ...index, '--model', MODEL])).code, 0);
  const long = 'a very long query that goes on '.repeat(30);
  for (const [args, times] of [
    [['search', long, ...index, '--json'], 1],
    [['search', 'a cat on a sofa that sleeps', ...index, '--json'], 0],
    [['embed', '--model', MODEL, '--text', long, long, 'a cat'], 1],
  ] as const) {
    const { stderr } = await vlmo(args);
    assert.equal(stderr.match(/tokens that the model reads/g)?.length ?? 0, times, stderr);
  }
});
