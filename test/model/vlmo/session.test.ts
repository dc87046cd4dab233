import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../fixtures/files.ts';
import { writeRandomModel } from '../../fixtures/random-model.ts';
import { runChild } from '../../fixtures/run-child.ts';

interface Growth {
  readonly opened: number;
  readonly ran: number;
  readonly finite: boolean;
  readonly pid: number;
}

/**
 * One copy of the weights is 1. Beside it there are the runtime's code and arenas and the compiled JavaScript, together
 * some 40 MB, a fifth of these 190 MB: hence 1.35. Private weights would give 2: the image and the text graph each read
 * about half of the weights, the fusion graph all of them.
 */
const MAX_COPIES = 1.35;

for (const dtype of ['f32', 'f16'] as const) {
  for (const opening of ['together', 'one-by-one', 'at-once']) {
    test(`createSession: graphs of an ${dtype} model opened ${opening} share one float32 copy of its weights`, async (t) => {
      const folder = join(await temporaryFolder(t), 'model');
      const bytes = await writeRandomModel(folder, dtype);
      const copy = dtype === 'f32' ? bytes : 2 * bytes;
      assert.ok(copy > 150e6 && copy < 200e6);
      const { ran, finite, pid } = await runChild<Growth>('sharing-child.ts', [folder, opening]);
      assert.ok(finite);
      t.diagnostic(`grew by ${(ran / copy).toFixed(2)} copies`);
      assert.ok(ran < MAX_COPIES * copy, `grew by ${(ran / copy).toFixed(2)} copies`);
      assert.ok(ran > 0.9 * copy, 'all weights were read');
      const left = await Promise.all(['/dev/shm', tmpdir()].map((parent) => readdir(parent).catch(() => [])));
      assert.deepEqual(
        left.flat().filter((name) => name.startsWith(`vlmo-weights-${pid}-`)),
        [],
      );
    });
  }
}
