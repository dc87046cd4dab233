import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describeProcess } from '#host-process.ts';
import { withLock } from '#lock-file.ts';
import { temporaryFolder } from './fixtures/files.ts';
import { until } from './queue/queue-fixture.ts';

const CHILD = fileURLToPath(new URL('./lock-child.ts', import.meta.url));
const LONG_AGO = new Date(Date.now() - 60_000);

async function lockIn(t: TestContext): Promise<{ folder: string; lock: string }> {
  const folder = await temporaryFolder(t);
  return { folder, lock: join(folder, 'lock') };
}

/** The number of a process that is no more. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(child, 'exit');
  return child.pid ?? 0;
}

/** What a lock says of its owner: this process, but for what is given. */
function ownedBy(changed: object): string {
  return JSON.stringify({ ...JSON.parse(describeProcess()), ...changed });
}

describe('withLock', () => {
  test('the lock of a process whose number another one has by now is void at once', async (t) => {
    const { lock } = await lockIn(t);
    await writeFile(lock, ownedBy({ pid: process.ppid, started: '1' }));
    assert.equal(await withLock(lock, async () => 'taken'), 'taken');
  });

  test('gives what the step gives, and leaves nothing', async (t) => {
    const { folder, lock } = await lockIn(t);
    assert.equal(await withLock(lock, async () => (await readdir(folder)).join()), 'lock');
    assert.deepEqual(await readdir(folder), []);
  });

  test('a step that throws ends the lock', async (t) => {
    const { lock } = await lockIn(t);
    await assert.rejects(
      withLock(lock, async () => {
        throw new Error('no');
      }),
      /^Error: no$/,
    );
    assert.equal(await withLock(lock, async () => 'next'), 'next');
  });

  test('a second step of the same process waits for the first one', async (t) => {
    const { lock } = await lockIn(t);
    const gate = Promise.withResolvers<void>();
    const order: string[] = [];
    const first = withLock(lock, async () => {
      order.push('first');
      await gate.promise;
      order.push('end of first');
    });
    await until(
      () => order.length,
      (length) => length === 1,
    );
    const second = withLock(lock, async () => order.push('second'));
    setImmediate(gate.resolve);
    await Promise.all([first, second]);
    assert.deepEqual(order, ['first', 'end of first', 'second']);
  });

  test('a folder that is not there is told', async (t) => {
    const { folder } = await lockIn(t);
    await assert.rejects(
      withLock(join(folder, 'none', 'lock'), async () => 1),
      { code: 'ENOENT' },
    );
  });

  test('three processes that find the lock of a dead one: no step meets another', {
    timeout: 60_000,
  }, async (t) => {
    const { folder, lock } = await lockIn(t);
    const file = join(folder, 'number');
    await writeFile(file, '0');
    await writeFile(lock, ownedBy({ pid: await deadPid() }));
    const children = Array.from({ length: 3 }, () =>
      spawn(process.execPath, [CHILD, lock, file, '20'], { stdio: ['ignore', 'ignore', 'inherit'] }),
    );
    for (const [code] of await Promise.all(children.map((child) => once(child, 'exit'))))
      assert.equal(code, 0);
    assert.equal(await readFile(file, 'utf8'), '60');
    assert.deepEqual(await readdir(folder), ['number']);
  });

  test('the lock of a process that is killed is void, not while it lives', async (t) => {
    const { lock } = await lockIn(t);
    const child = spawn(process.execPath, [CHILD, lock], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    let taken = false;
    const taking = withLock(lock, async () => {
      taken = true;
    });
    const looks = { count: 0 };
    await until(
      async () => (await stat(lock)).isFile() && looks.count++,
      (times) => times !== false && times > 20,
    );
    assert.equal(taken, false);
    child.kill('SIGKILL');
    await taking;
    assert.equal(taken, true);
  });

  for (const [what, content] of [
    ['whose owner was killed before it wrote its number', ''],
    ['of a number that another process has now', String(process.ppid)],
    ['of another container', ownedBy({ host: 'another', pid: process.pid })],
  ] as const) {
    test(`an old lock ${what} is void`, async (t) => {
      const { lock } = await lockIn(t);
      await writeFile(lock, content);
      await utimes(lock, LONG_AGO, LONG_AGO);
      assert.equal(await withLock(lock, async () => 'taken'), 'taken');
    });
  }

  test('a lock of another machine is held, whatever runs here under its number', async (t) => {
    const { lock } = await lockIn(t);
    await writeFile(lock, ownedBy({ host: 'another', pid: await deadPid() }));
    let taken = false;
    const taking = withLock(lock, async () => {
      taken = true;
    });
    await setTimeout(200);
    assert.equal(taken, false);
    await rm(lock);
    await taking;
  });

  test('a lock stays fresh while its step takes long', async (t) => {
    const { lock } = await lockIn(t);
    t.mock.timers.enable({ apis: ['setInterval'] });
    await withLock(lock, async () => {
      await utimes(lock, LONG_AGO, LONG_AGO);
      t.mock.timers.tick(2000);
      await until(
        async () => Date.now() - (await stat(lock)).mtimeMs,
        (age) => age < 10_000,
      );
    });
  });
});
