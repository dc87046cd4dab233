import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { openQueues, type Queues } from '#queue/bull-queues.ts';
import type { RunRecord, Store } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { startTestRedis, type TestRedis } from '../fixtures/redis-server.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { drawPictures, pictureName, put } from '../pipeline/pictures.ts';
import { ended, type Vlmo, vlmoJson } from './cli-fixture.ts';
import { startWorker } from './queue-fixture.ts';

/** What all tests of a file share: a model, pictures, and a Redis in which each index has keys of its own. */
export interface Suite {
  readonly model: string;
  readonly pictures: string;
  readonly redis: TestRedis;
  /** A manifest over the pictures with two captions each, and nothing wrong in it: GOOD items. */
  readonly good: string;
  /** The same, and a file that is no picture, one that is missing, and a line that is no JSON: GOOD + BAD items. */
  readonly mixed: string;
}

const PICTURES = 12;
export const GOOD = 3 * PICTURES;
export const BAD = 3;

export async function startSuite(suite: { after(work: () => Promise<void>): void }): Promise<Suite> {
  const folder = await temporaryFolder(suite);
  const [model, redis] = await Promise.all([importTiny(folder), startTestRedis()]);
  suite.after(async () => redis[Symbol.asyncDispose]());
  const pictures = join(folder, 'pictures');
  await drawPictures(pictures, 0, PICTURES);
  await put(pictures, 'broken.png', 'no picture');
  const lines = Array.from({ length: PICTURES }, (_, n) =>
    JSON.stringify({ image: pictureName(n), captions: [`red ${n}`, `a thing ${n}`], n }),
  );
  await put(pictures, 'good.jsonl', lines.join('\n'));
  const bad = ['{"image":"broken.png"}', '{"image":"missing.png"}', '{ not JSON'];
  await put(pictures, 'mixed.jsonl', [...lines, ...bad].join('\n'));
  const [good, mixed] = ['good.jsonl', 'mixed.jsonl'].map((name) => join(pictures, name)) as [string, string];
  return { model, pictures, redis, good, mixed };
}

export interface SubmittedLine {
  readonly run: string;
  readonly seen: number;
  readonly jobs: number;
  readonly added: number;
  readonly resumed: boolean;
  readonly complete: boolean;
}

/** An index of a test's own; its workers end with it. */
export interface Scene extends AsyncDisposable {
  readonly index: string;
  readonly env: Readonly<Record<string, string>>;
  /** `vlmo COMMAND … --index … --json`, which must end with this code. */
  json<T = Record<string, unknown>>(args: readonly string[], code?: number): Promise<T[]>;
  /** Submits in jobs of four items. */
  submit(source: string, args?: readonly string[]): Promise<SubmittedLine>;
  worker(args?: readonly string[], env?: Readonly<Record<string, string>>): Vlmo;
  /** Waits until a run is complete, and gives its record. */
  complete(run: string): Promise<RunRecord>;
  /** The store of the index, open here too. */
  store(): Promise<Store>;
  /** The queues of the index, as another client of its Redis sees them. */
  queues(): Promise<Queues>;
}

export async function openScene(
  t: TestContext,
  { model, redis }: Suite,
  env: Readonly<Record<string, string>> = { REDIS_URL: redis.url },
): Promise<Scene> {
  const stack = new AsyncDisposableStack();
  const index = join(await temporaryFolder(t), 'index');
  const workers: Vlmo[] = [];
  stack.defer(async () => {
    for (const worker of workers) worker.kill('SIGKILL');
    await Promise.all(workers.map(ended));
  });
  let opened: Promise<Store> | undefined;
  const store = (): Promise<Store> => {
    opened ??= openStore(index, { create: false }).then((store) => stack.use(store));
    return opened;
  };
  const json = async <T>(args: readonly string[], code = 0): Promise<T[]> =>
    (await vlmoJson<T>([...args, '--index', index, '--json'], code, { env })).lines;
  return {
    ...{ index, env, json },
    async submit(source, args = []) {
      const small = ['--model', model, '--chunk-items', '4'];
      const [line] = await json<SubmittedLine>(['submit', source, ...small, ...args]);
      assert.ok(line);
      return line;
    },
    worker(args = [], more = {}) {
      const worker = startWorker(index, { ...env, ...more }, args);
      workers.push(worker);
      return worker;
    },
    async complete(run) {
      const { runs } = await store();
      const record = await until(
        () => runs.find(run),
        (found) => found?.state === 'complete',
      );
      assert.ok(record);
      return record;
    },
    store,
    async queues() {
      const { id } = await store();
      return stack.adopt(openQueues(redis.client, id), (queues) => queues.close());
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Waits until something holds; fails after two minutes. */
export async function until<T>(ask: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  let last: T | undefined;
  for (const end = Date.now() + 120_000; Date.now() < end; ) {
    last = await ask();
    if (holds(last)) return last;
    await setTimeout(50);
  }
  assert.fail(`after two minutes: ${JSON.stringify(last)}`);
}

/** The lines of a worker's log as they come; `until` fails where the worker ends before. */
export function readLog(worker: Vlmo) {
  const lines: string[] = [];
  let rest = '';
  const heard = new EventTarget();
  worker.stderr.on('data', (piece: Buffer) => {
    const parts = (rest + piece.toString()).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
    heard.dispatchEvent(new Event('lines'));
  });
  const end = ended(worker).then(({ stderr }) => assert.fail(`the worker ended: ${stderr}`));
  end.catch(() => undefined);
  return {
    lines,
    async until(words: string): Promise<Record<string, unknown>> {
      for (;;) {
        const line = lines.find((candidate) => candidate.includes(words));
        if (line !== undefined) return JSON.parse(line) as Record<string, unknown>;
        const more = new Promise((resolve) => heard.addEventListener('lines', resolve, { once: true }));
        await Promise.race([more, end]);
      }
    },
  };
}

/** The process that holds the model of a worker: its one child. */
export async function enginePid({ pid }: Vlmo): Promise<number> {
  return Number(await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8'));
}
