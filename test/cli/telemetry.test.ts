import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { temporaryFolder } from '../fixtures/files.ts';
import { vlmo } from './cli-fixture.ts';

test('nothing is sent to, or noted down for, whoever made onnxruntime', async (t) => {
  const TMPDIR = await temporaryFolder(t);
  const { code, stderr } = await vlmo(['embed', '--model', 'demo', '--text', 'red', '--device', 'cpu'], {
    env: { TMPDIR },
    isProcess: true,
  });
  assert.equal(code, 0, stderr);
  assert.deepEqual(
    (await readdir(TMPDIR)).filter((name) => name.startsWith('mat-')),
    [],
  );
});
