import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fixture, readJson, temporaryFolder } from '../fixtures/files.ts';
import { assertClose, type Expected, VOCABULARY } from '../model/vlmo/model-fixture.ts';
import { assertCannotRun, vlmo, vlmoJson } from './cli-fixture.ts';

interface Embedded {
  readonly kind: string;
  readonly source: string;
  readonly embedding: readonly number[];
}

interface Pair {
  readonly image: string;
  readonly text: string;
  readonly cosine: number;
  readonly match: number;
}

const folder = await temporaryFolder({ after });
const rel = join(folder, 'rel');
const abs = join(folder, 'abs');
const expected = await readJson<Expected>('reference/vlmo-tiny/tiny_rel.expected.json');
const picture = (name: string): string => fixture(`reference/vlmo-tiny/images/${name}`);

before(async () => {
  const checkpoint = (name: string): string => fixture(`reference/vlmo-tiny/${name}.pt`);
  const vocabulary = ['--vocab', VOCABULARY, '--json'];
  await vlmoJson(['model', 'import', checkpoint('tiny_rel'), '--out', rel, ...vocabulary]);
  await vlmoJson(['model', 'import', checkpoint('tiny_abs'), '--out', abs, '--heads', '4', ...vocabulary]);
});

describe('vlmo embed', () => {
  test('one object a line with exactly these keys, in the order given across --image and --text', async () => {
    const [a, b] = expected.images.map(picture);
    const [x, y, z] = expected.captions;
    const args = ['--text', x, '--image', a, b, '--text', y, z, '--image', a].map(String);
    const { lines } = await vlmoJson<Embedded>(['embed', '--model', rel, ...args, '--json']);
    assert.deepEqual(
      lines.map(({ kind, source }) => [kind, source]),
      [
        ['text', x],
        ['image', a],
        ['image', b],
        ['text', y],
        ['text', z],
        ['image', a],
      ],
    );
    for (const line of lines) {
      assert.deepEqual(Object.keys(line), ['kind', 'source', 'embedding']);
      assert.ok(Math.abs(Math.hypot(...line.embedding) - 1) < 1e-5);
    }
    assert.deepEqual(lines[1], lines[5]);
  });

  test('--precision f16 computes in 16 bits: another vector, near by', async () => {
    const args = ['--text', String(expected.captions[0]), '--device', 'cpu'];
    const embed = async (precision: string): Promise<readonly number[]> => {
      const { lines } = await vlmoJson<Embedded>([
        'embed',
        '--model',
        rel,
        ...args,
        '--precision',
        precision,
      ]);
      return lines[0]?.embedding ?? [];
    };
    const [full, half] = [await embed('auto'), await embed('f16')];
    assert.notDeepEqual(half, full);
    assert.ok(half.reduce((sum, value, i) => sum + value * (full[i] ?? 0), 0) >= 0.9995);
  });

  for (const [name, model] of [['tiny_rel', rel] as const, ['tiny_abs', abs] as const]) {
    test(`${name}: what the reference returns, texts within 1e-4, pictures by cosine`, async () => {
      const golden = await readJson<Expected>(`reference/vlmo-tiny/${name}.expected.json`);
      const images = golden.images.map(picture);
      const args = ['--preprocess', 'reference', '--image', ...images, '--text', ...golden.captions];
      const { lines } = await vlmoJson<Embedded>(['embed', '--model', model, ...args]);
      for (const [i, { embedding, source }] of lines.entries()) {
        const isText = i >= images.length;
        const right = (isText ? golden.text_embedding[i - images.length] : golden.image_embedding[i]) ?? [];
        if (isText || source.endsWith('exact.png')) assertClose(embedding, right, 1e-4, source);
        const cosine = embedding.reduce((sum, value, k) => sum + value * (right[k] ?? 0), 0);
        assert.ok(cosine >= 0.9999, `${source}: ${cosine}`);
      }
    });
  }

  test('--pairs: the i-th picture with the i-th text, cosine and match as the reference', async () => {
    const args = ['--image', ...expected.images.map(picture), '--text', ...expected.captions];
    const reference = ['--preprocess', 'reference'];
    const { lines } = await vlmoJson<Pair>(['embed', '--pairs', '--model', rel, ...args, ...reference]);
    assert.equal(lines.length, expected.images.length);
    for (const [i, pair] of lines.entries()) {
      assert.deepEqual(Object.keys(pair), ['image', 'text', 'cosine', 'match']);
      assert.deepEqual([pair.image, pair.text], [picture(expected.images[i] ?? ''), expected.captions[i]]);
      const [image = [], text = []] = [expected.image_embedding[i], expected.text_embedding[i]];
      const cosine = image.reduce((sum, value, k) => sum + value * (text[k] ?? 0), 0);
      assert.ok(Math.abs(pair.cosine - cosine) < 1e-3, `cosine ${pair.cosine}, expected ${cosine}`);
      const [no = 0, yes = 0] = expected.itm_logits?.[i] ?? [];
      const match = 1 / (1 + Math.exp(no - yes));
      assert.ok(Math.abs(pair.match - match) < 1e-3, `match ${pair.match}, expected ${match}`);
    }
  });

  test('what is broken does not stop the rest: the others are printed, the reason on stderr, exit code 2', async () => {
    const text = join(folder, 'text.jpg');
    const pipe = join(folder, 'pipe.jpg');
    await writeFile(text, 'no picture');
    await mkdir(join(folder, 'folder.jpg'));
    execFileSync('mkfifo', [pipe]);
    const broken = [
      text,
      join(folder, 'none.jpg'),
      join(folder, 'folder.jpg'),
      pipe,
      'https://example.org/a.jpg',
    ];
    const args = [
      'embed',
      '--model',
      rel,
      '--device',
      'cpu',
      '--text',
      'red',
      '--image',
      ...broken,
      picture('exact.png'),
    ];
    const { lines, stderr } = await vlmoJson<Embedded>(args, 2);
    assert.deepEqual(
      lines.map(({ source }) => source),
      ['red', picture('exact.png')],
    );
    for (const [i, line] of stderr.trimEnd().split('\n').entries())
      assert.ok(line.includes(broken[i] ?? '?'), line);
    const codes = [...stderr.matchAll(/\[([A-Z_]+)\]$/gm)].map(([, code]) => code);
    assert.deepEqual(codes, [
      'IMAGE_INVALID',
      'ITEM_NOT_FOUND',
      'ITEM_UNREADABLE',
      'ITEM_UNREADABLE',
      'URL_UNSUPPORTED',
    ]);
  });

  test('1 and one line for what cannot run', async () => {
    const image = ['--image', picture('exact.png')];
    await assertCannotRun(['embed', '--model', rel], 'USAGE_INVALID', 'at least one --image or --text');
    await assertCannotRun(['embed', '--model', rel, '--pairs', ...image], 'USAGE_INVALID', '1 and 0');
    await assertCannotRun(
      ['embed', '--model', abs, '--pairs', ...image, '--text', 'red'],
      'MODEL_HEAD_MISSING',
      'ITM',
    );
    await assertCannotRun(
      ['embed', '--model', join(folder, 'none'), '--text', 'red'],
      'MODEL_NOT_FOUND',
      'none',
    );
    assert.equal((await vlmo(['embed', '--text', 'red'])).code, 1);
    assert.equal((await vlmo(['embed', '--model', rel, '--text', 'x', '--preprocess', 'slow'])).code, 1);
  });
});
