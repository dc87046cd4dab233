import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freeMemory } from '#devices/free-memory.ts';

/** A program in the place of the driver's: no card is here that could answer. */
async function answering(t: TestContext, script: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'vlmo-nvidia-smi-'));
  const path = process.env.PATH;
  t.after(() => {
    process.env.PATH = path;
    return rm(folder, { recursive: true });
  });
  await writeFile(join(folder, 'nvidia-smi'), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, 'nvidia-smi'), 0o755);
  process.env.PATH = folder + delimiter + path;
}

test('freeMemory: bytes of the first card', async (t) => {
  await answering(t, 'printf "24000\\n81000\\n"');
  assert.equal(await freeMemory('cuda'), 24_000 * 2 ** 20);
  assert.equal(await freeMemory('webgpu'), undefined);
  assert.equal(await freeMemory('cpu'), undefined);
});

test('freeMemory: undefined where the driver says nothing of use', async (t) => {
  for (const script of ['exit 9', 'echo "[N/A]"', 'echo']) {
    await answering(t, script);
    assert.equal(await freeMemory('cuda'), undefined, script);
  }
});
