import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { drawPictures, pictureName } from '../pipeline/pictures.ts';
import { assertCannotRun, vlmo, vlmoJson } from './cli-fixture.ts';

interface Evaluated {
  readonly dataset: string;
  readonly model: string;
  readonly task: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly intervals: Readonly<Record<string, readonly [number, number]>>;
  readonly rerank: number | null;
  readonly split: string | null;
  readonly pictures: number;
  readonly captions: number;
  readonly missing: { readonly count: number; readonly first: readonly string[] };
  readonly published: readonly object[];
}

const folder = await temporaryFolder({ after });
const MODEL = await importTiny(folder);
const [pictures, table, index] = ['pictures', 'captions.jsonl', 'index'].map((name) =>
  join(folder, name),
) as [string, string, string];
const COUNT = 12;
const METRICS = ['image', 'text'].flatMap((way) => [1, 5, 10].map((k) => `${way}_retrieval_recall@${k}`));

/** Two captions a picture. */
before(async () => {
  await mkdir(pictures, { recursive: true });
  await drawPictures(pictures, 0, COUNT);
  const rows = Array.from({ length: COUNT }, (_, n) => {
    const captions = [`picture number ${n}`, `the ${n}th of them`];
    return JSON.stringify({ image: join(pictures, pictureName(n)), captions });
  });
  await writeFile(table, rows.join('\n'));
});

const SMALL = ['--device', 'cpu', '--inference-workers', '1', '--decode-threads', '1'];

function evaluate(...more: readonly string[]): readonly string[] {
  return ['evaluate', ...more, '--index', index, ...SMALL];
}

describe('vlmo evaluate', { timeout: 300_000 }, () => {
  test('indexes a table and gives recall in the form of CLIP_benchmark, with intervals', async () => {
    const { lines } = await vlmoJson<Evaluated>(evaluate(table, '--model', MODEL, '--json'));
    assert.equal(lines.length, 1);
    const [found = assert.fail()] = lines;
    assert.deepEqual(Object.keys(found.metrics), METRICS);
    for (const name of METRICS) {
      const [low = Number.NaN, high = Number.NaN] = found.intervals[name] ?? [];
      const recall = found.metrics[name] ?? Number.NaN;
      assert.ok(0 <= low && low <= recall && recall <= high && high <= 1, name);
    }
    assert.ok((found.metrics['image_retrieval_recall@10'] ?? 0) > 0.5, '10 of 12 are most');
    const { dataset, task, rerank, split, missing, published } = found;
    assert.deepEqual(
      {
        dataset,
        task,
        rerank,
        split,
        missing,
        published,
        pictures: found.pictures,
        captions: found.captions,
      },
      {
        ...{ dataset: 'default', task: 'zeroshot_retrieval', rerank: null, split: null, published: [] },
        ...{ missing: { count: 0, first: [] }, pictures: COUNT, captions: 2 * COUNT },
      },
    );
    // What is stored stays; the same figures come without the source.
    assert.deepEqual((await vlmoJson(evaluate('--json'))).lines, lines);
    assert.deepEqual((await vlmoJson(evaluate(table, '--json'))).lines, lines);
  });

  test('--rerank: an order beside that by cosine, for 32 too where more are asked', async () => {
    const { lines } = await vlmoJson<Evaluated>(evaluate('--rerank', '40', '--json'));
    assert.deepEqual(
      lines.map(({ rerank }) => rerank),
      [null, 32, 40],
    );
    // Twelve pictures are all among the first 32.
    assert.deepEqual(lines[1]?.metrics, lines[2]?.metrics);
    await assertCannotRun(evaluate('--rerank', '9'), 'USAGE_INVALID', 'expected 10 or more', 'received 9');
  });

  test('a table for people names sizes that no figures are published for', async () => {
    const { stdout } = await vlmo(evaluate());
    assert.match(stdout, /12 pictures, 24 captions\. No split that figures are published for\./);
    assert.match(stdout, /TR@1 +TR@5 +TR@10 +IR@1/);
    assert.match(stdout, /^by cosine( +\d+\.\d \[\d+\.\d, \d+\.\d\]){6}$/m);
  });

  test('missing pictures are refused with their names, and named with --partial', async () => {
    const [lacking, other] = [join(folder, 'lacking'), join(folder, 'lacking-index')];
    await mkdir(lacking);
    await drawPictures(lacking, 0, 8);
    const rows = Array.from({ length: 8 }, (_, n) => {
      const image = pictureName(n);
      return JSON.stringify({ file_name: image, caption: `picture ${n}` });
    });
    await writeFile(join(lacking, 'metadata.jsonl'), rows.join('\n'));
    for (let n = 1; n < 8; n++) await rm(join(lacking, pictureName(n)));
    const args = ['evaluate', lacking, '--index', other, '--model', MODEL, ...SMALL];
    const { code, stderr } = await vlmo(args);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /expected all of its pictures and captions, \d+ are missing or failed: .*, …; --partial/,
    );
    assert.match(stderr, /\[EVALUATION_INCOMPLETE\]|EVALUATION_INCOMPLETE/);
    const { lines } = await vlmoJson<Evaluated>([...args, '--partial', '--json']);
    assert.equal(lines[0]?.pictures, 1);
    assert.ok((lines[0]?.missing.count ?? 0) >= 7);
    assert.equal(lines[0]?.missing.first.length, 5);
  });
});
