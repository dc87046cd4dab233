import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fixture, temporaryFolder } from '../fixtures/files.ts';

const IMPORT = "import { test } from 'node:test';\n";

test('npm test: one summary of what runs alone and what runs together, and exit code 1 where one fails', async (t) => {
  const folder = await temporaryFolder(t);
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), IMPORT + text);
    return join(folder, name);
  };
  const good = await file('a.test.mjs', "test('a', () => undefined);\ntest.skip('b', () => undefined);");
  const alone = await file('b.test.mjs', "// Runs alone: it measures.\ntest('c', () => undefined);");
  const bad = await file('c.test.mjs', "test('d', () => { throw new Error('no'); });");
  // What the runner of this test says to its children would make them report to it.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const run = (...files: string[]): readonly [number | null, string[]] => {
    const script = [fixture('../../scripts/test.ts'), ...files];
    const { status, stdout } = spawnSync(process.execPath, script, { env, encoding: 'utf8' });
    return [status, stdout.match(/^ℹ (tests|pass|fail|skipped) \d+$/gm) ?? []];
  };
  assert.deepEqual(run(good, alone), [0, ['ℹ tests 3', 'ℹ pass 2', 'ℹ fail 0', 'ℹ skipped 1']]);
  assert.deepEqual(run(good, alone, bad), [1, ['ℹ tests 4', 'ℹ pass 2', 'ℹ fail 1', 'ℹ skipped 1']]);
});
