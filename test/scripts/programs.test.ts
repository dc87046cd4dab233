import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fixture, temporaryFolder } from '../fixtures/files.ts';

test('providePrograms: where nothing can be installed, it says what is missing and the line that installs it', async (t) => {
  const options = { env: { PATH: await temporaryFolder(t) }, encoding: 'utf8' as const };
  const { status, stderr } = spawnSync(process.execPath, [fixture('../../scripts/programs.ts')], options);
  assert.equal(status, 1);
  assert.match(
    stderr,
    /^Cannot test: git, mkfifo, redis-server, openssl.* missing\. .*apt-get install git coreutils redis-server/,
  );
});
