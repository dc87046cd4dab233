import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { squashed } from '#pictures/picture-spec.ts';
import { decodeSamples } from '#pictures/preprocess.ts';
import { createPreprocessPool } from '#workers/decode/preprocess-pool.ts';
import type {
  PictureOutcome,
  PictureTask,
  PreprocessSetup,
  PreprocessTask,
} from '#workers/decode/protocol.ts';
import { fixture, temporaryFolder } from '../../fixtures/files.ts';
import { starve } from '../../fixtures/starve.ts';
import { cpuSeconds, decodersOf, isAlive } from './children.ts';

const SIZE = 3 * 64 * 64;
const SETUP: PreprocessSetup = {
  spec: squashed([64, 64]),
  mode: 'fast',
  maxPixels: 20_000_000,
  maxImageBytes: 1_000_000,
};
const DRAWINGS = ['drawing.png', 'progressive.jpg', 'grey.png', 'alpha.webp', 'drawing.bmp', 'animated.gif'];
const DRAWING = fixture('pictures/drawing.png');
/** Decodes that never end; the first one is 236 bytes long. */
const ENDLESS = ['morphology', 'masks', 'uses'].map((name) =>
  fixture(`pictures/hostile/endless-${name}.svg`),
);

/** Of 2 kB: each of its layers is as large as the drawing, 196 MB. */
function layersOf(count: number): string {
  const names = Array.from({ length: count }, (_, n) => `l${n}`);
  const layers = names.map(
    (name, n) => `<feGaussianBlur in="SourceGraphic" stdDeviation="${n + 1}" result="${name}"/>`,
  );
  const merged = names.map((name) => `<feMergeNode in="${name}"/>`);
  const filter = `<filter id="f" x="0" y="0" width="1" height="1">${layers.join('')}<feMerge>${merged.join('')}</feMerge></filter>`;
  const size = 'width="7000" height="7000"';
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>${filter}<g filter="url(#f)"><rect ${size} fill="#a33"/></g></svg>`;
}

/** What the system says of a process, in MiB; NaN where it is gone. */
function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) / 1024;
  } catch {
    return Number.NaN;
  }
}

describe('createPreprocessPool', () => {
  test('many tasks on three processes give what this thread gives, and no process is left', async () => {
    const pool = createPreprocessPool(SETUP, 3);
    const expected = await Promise.all(DRAWINGS.map(samplesOf));
    const tasks = Array.from({ length: 24 }, () => newTask(DRAWINGS.map(pictureFixture)));
    const all = await Promise.all(tasks.map((task) => pool.run(task)));
    for (const [i, task] of tasks.entries()) {
      const outcomes = all[i] ?? [];
      assert.equal(outcomes.filter(({ kind }) => kind === 'ready').length, DRAWINGS.length - 1);
      for (const [n, outcome] of outcomes.entries()) assert.deepEqual(pixelsOf(task, outcome), expected[n]);
    }
    const pids = decodersOf();
    assert.equal(pids.length, 3);
    await pool[Symbol.asyncDispose]();
    assert.deepEqual(pids.filter(isAlive), []);
    assert.deepEqual(
      (await readdir('/dev/shm')).filter((name) => name.startsWith('vlmo-pixels-')),
      [],
    );
  });

  test('one process for a few pictures, more as pictures wait', async () => {
    await using pool = createPreprocessPool(SETUP, 3);
    assert.equal((await pool.run(newTask([DRAWING, DRAWING]))).length, 2);
    assert.equal(decodersOf().length, 1);
    await pool.run(newTask(Array(40).fill(DRAWING)));
    while (decodersOf().length < 2) await delay(20);
  });

  test('a process that is killed while it is idle is replaced, and nothing is lost', async () => {
    await using pool = createPreprocessPool(SETUP, 1);
    for (let i = 0; i < 3; i++) {
      const [outcome] = await pool.run(newTask([DRAWING]));
      assert.equal(outcome?.kind, 'ready');
      const pids = decodersOf();
      assert.equal(pids.length, 1);
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      if (i === 1) while (pids.some(isAlive)) await delay(5);
    }
  });

  test('a picture whose process is killed has a second try; killed again, it is listed, and the others are ready', async () => {
    await using pool = createPreprocessPool({ ...SETUP, timeoutSeconds: 600 }, 1);
    const [endless = ''] = ENDLESS;
    const task = newTask([endless, DRAWING, pictureFixture('grey.png')]);
    const running = pool.run(task);
    const killed = new Set<number>();
    for (let i = 0; i < 2; i++) {
      const pid = await busyDecoder(killed);
      killed.add(pid);
      process.kill(pid, 'SIGKILL');
    }
    const [lost, ...others] = await running;
    assert.equal(killed.size, 2);
    assert.deepEqual(
      others.map(({ kind }) => kind),
      ['ready', 'ready'],
    );
    assertFailed(lost, 'WORKER_CRASHED', endless, 'SIGKILL');
    assert.equal(lost?.kind === 'failed' && lost.sha256, digestOf(endless));
  });

  test('a crash of its own is the fault of its picture: ITEM_CRASHES', async () => {
    await using pool = createPreprocessPool({ ...SETUP, timeoutSeconds: 600 }, 1);
    const [endless = ''] = ENDLESS;
    const running = pool.run(newTask([DRAWING, endless, DRAWING]));
    const killed = new Set<number>();
    for (let i = 0; i < 2; i++) {
      const pid = await busyDecoder(killed);
      killed.add(pid);
      process.kill(pid, 'SIGSEGV');
    }
    const [first, lost, last] = await running;
    assert.deepEqual([first?.kind, last?.kind], ['ready', 'ready']);
    assertFailed(lost, 'ITEM_CRASHES', endless, 'SIGSEGV');
  });

  test('a decode that does not end is ended with its process: ITEM_TIMEOUT with its digest; the rest is done', async () => {
    await using pool = createPreprocessPool({ ...SETUP, timeoutSeconds: 1 }, 2);
    const begun = performance.now();
    const all = [DRAWING, ...ENDLESS, DRAWING, DRAWING];
    const task = newTask(all);
    const outcomes = await pool.run(task);
    assert.ok(performance.now() - begun < 20_000);
    for (const [i, path] of all.entries()) {
      const outcome = outcomes[i];
      if (path === DRAWING)
        assert.deepEqual(outcome && pixelsOf(task, outcome), await samplesOf('drawing.png'));
      else {
        assertFailed(outcome, 'ITEM_TIMEOUT', path, 'within 1 seconds');
        assert.equal(outcome?.kind === 'failed' && outcome.sha256, digestOf(path));
      }
    }
  });

  test('an interrupt to all of them is for the program to answer: they go on', async () => {
    await using pool = createPreprocessPool(SETUP, 1);
    await pool.run(newTask([DRAWING]));
    const [pid = 0] = decodersOf();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal);
    await pool.run(newTask([DRAWING]));
    assert.deepEqual(decodersOf(), [pid]);
  });

  test('no process can be started: every task rejects with DECODER_UNAVAILABLE and the reason', async (t) => {
    const node = process.execPath;
    t.after(() => {
      process.execPath = node;
    });
    process.execPath = '/nowhere/node';
    await using pool = createPreprocessPool(SETUP, 2);
    const tasks = [pool.run(newTask([DRAWING])), pool.runUrgent(newTask([DRAWING, DRAWING]))];
    for (const task of tasks) await assert.rejects(task, { code: 'DECODER_UNAVAILABLE', message: /ENOENT/ });
    await assert.rejects(pool.run(newTask([DRAWING])), { code: 'DECODER_UNAVAILABLE' });
  });

  test('a process without file handles: the task rejects with MACHINE_FAILED, no picture is at fault', async () => {
    await using pool = createPreprocessPool(SETUP, 1);
    await pool.run(newTask([DRAWING]));
    const [pid = 0] = decodersOf();
    const mend = await starve(pid);
    await assert.rejects(pool.run(newTask([DRAWING, DRAWING])), {
      code: 'MACHINE_FAILED',
      message: /EMFILE/,
    });
    await mend();
    const soon = await starve(pid);
    const reading = pool.run(newTask([DRAWING]));
    await delay(150);
    await soon();
    assert.equal((await reading)[0]?.kind, 'ready');
  });

  test('a file that the system cannot read is unreadable, not damaged', async () => {
    await using pool = createPreprocessPool(SETUP, 1);
    // It has 4096 bytes by its size, and EINVAL where they are read.
    const [outcome] = await pool.run(newTask(['/sys/class/net/lo/speed']));
    assertFailed(outcome, 'ITEM_UNREADABLE', '/sys/class/net/lo/speed', 'EINVAL');
  });

  for (const mode of ['fast', 'reference'] as const) {
    test(`a drawing that grows beyond the memory of a picture is killed and listed, ${mode}: the rest is done`, async (t) => {
      const hungry = join(await temporaryFolder(t), 'hungry.svg');
      await writeFile(hungry, layersOf(24));
      await using pool = createPreprocessPool({ ...SETUP, mode, maxPixels: 50_000_000 }, 1);
      await pool.run(newTask([DRAWING]));
      const idle = Math.min(...decodersOf().map((pid) => memoryOf(pid, 'VmRSS')));
      const peaks: number[] = [];
      const look = setInterval(() => peaks.push(...decodersOf().map((pid) => memoryOf(pid, 'VmHWM'))), 5);
      const [first, second, third] = await pool.run(newTask([DRAWING, hungry, DRAWING]));
      clearInterval(look);
      assert.deepEqual([first?.kind, third?.kind], ['ready', 'ready']);
      assertFailed(second, 'IMAGE_TOO_LARGE', hungry, '512 MiB', '--decode-memory');
      const peak = Math.max(...peaks.filter(Number.isFinite)) - idle;
      t.diagnostic(`at most ${Math.round(peak)} MiB above idle`);
      assert.ok(peak > 300 && peak <= 512, `${peak} MiB`);
    });
  }

  test('closed in the middle of a picture: the task rejects, and the process is gone', async () => {
    const pool = createPreprocessPool({ ...SETUP, timeoutSeconds: 600 }, 1);
    const running = pool.run(newTask([ENDLESS[0] ?? '', DRAWING, DRAWING]));
    const rejected = assert.rejects(running, { code: 'WORKER_CRASHED' });
    const pid = await busyDecoder(new Set());
    await pool[Symbol.asyncDispose]();
    await rejected;
    assert.equal(isAlive(pid), false);
  });
});

describe('PreprocessPool.runUrgent', () => {
  test('goes before all that waits for the one process', async () => {
    await using pool = createPreprocessPool(SETUP, 1);
    const done: string[] = [];
    const run = async (name: string, how: 'run' | 'runUrgent') => {
      const outcomes = await pool[how](newTask([DRAWING, DRAWING, DRAWING]));
      assert.ok(outcomes.every(({ kind }) => kind === 'ready'));
      done.push(name);
    };
    await Promise.all([
      ...['running', 'bulk 1', 'bulk 2'].map((name) => run(name, 'run')),
      ...['URGENT 1', 'URGENT 2'].map((name) => run(name, 'runUrgent')),
    ]);
    assert.deepEqual(done, ['URGENT 1', 'URGENT 2', 'running', 'bulk 1', 'bulk 2']);
  });
});

function pictureFixture(name: string): string {
  return fixture(`pictures/${name}`);
}

function newTask(uris: readonly string[]): PreprocessTask {
  const pictures = uris.map((uri): PictureTask => ({ uri, storedSha256: null, failedSha256: null }));
  return { pixels: new SharedArrayBuffer(uris.length * SIZE), firstSlot: 0, pictures };
}

function pixelsOf({ pixels }: PreprocessTask, outcome: PictureOutcome): Uint8Array | undefined {
  if (outcome.kind !== 'ready') return undefined;
  return new Uint8Array(pixels).slice(outcome.slot * SIZE, (outcome.slot + 1) * SIZE);
}

/** What the model is to see of a picture; nothing where it cannot be decoded. */
async function samplesOf(name: string): Promise<Uint8Array | undefined> {
  const samples = new Uint8Array(SIZE);
  const decoding = decodeSamples(readFileSync(pictureFixture(name)), SETUP.spec, SETUP.mode, SETUP, samples);
  return decoding.then(
    () => samples,
    () => undefined,
  );
}

function digestOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** A decode process in the middle of a picture that does not end: it has computed for longer than starting takes. */
async function busyDecoder(others: ReadonlySet<number>): Promise<number> {
  for (;;) {
    const pid = decodersOf().find((candidate) => !others.has(candidate) && cpuSeconds(candidate) > 1.5);
    if (pid !== undefined) return pid;
    await delay(100);
  }
}

function assertFailed(outcome: PictureOutcome | undefined, code: string, ...words: readonly string[]): void {
  assert.equal(outcome?.kind, 'failed');
  assert.equal(outcome.error.code, code, outcome.error.message);
  for (const word of words) assert.ok(outcome.error.message.includes(word), outcome.error.message);
}
