import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { vlmo } from './cli-fixture.ts';

const RECORDER = `--import=${fixture('loaded-modules.ts')}`;

describe('vlmo', () => {
  for (const [what, args, code] of [
    ['--version', ['--version'], 0],
    ['--help', ['--help'], 0],
    ['the help of a command', ['search', '--help'], 0],
    ['an unknown command', ['serch'], 1],
    ['an unknown flag', ['--foo'], 1],
    ['an unknown flag of a command', ['index', 'a', '--foo'], 1],
    ['a command without what it requires', ['search', 'a'], 1],
    ['config', ['config'], 0],
  ] as const)
    test(`${what}: no package but commander is loaded`, async (t) => {
      const file = join(await temporaryFolder(t), 'loaded.txt');
      const ran = await vlmo(args, {
        env: { NODE_OPTIONS: RECORDER, LOADED_MODULES: file },
        isProcess: true,
      });
      assert.equal(ran.code, code, ran.stderr);
      const loaded = (await readFile(file, 'utf8')).split('\n');
      assert.ok(loaded.some((url) => url.endsWith('/bin/vlmo.js')));
      const packages = loaded.flatMap((url) => /\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []);
      assert.deepEqual([...new Set(packages)], what === '--version' ? [] : ['commander']);
    });
});
