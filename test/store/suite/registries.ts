import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FailureRecord, RunRecord, StoredCalibration } from '#store/contract.ts';
import { failureRecord, imageKeys } from '../lance/store-fixture.ts';
import type { OpenStore } from './open.ts';

const RUN: RunRecord = {
  id: 'r1',
  kind: 'queued',
  submitted: false,
  options: '{}',
  source: '/photos',
  place: '/photos',
  collection: 'default',
  generation: 'default.0123456789ab',
  state: 'running',
  seen: 0,
  stored: 0,
  skipped: 0,
  failed: 0,
  kinds: {
    images: { seen: 1, stored: 2, skipped: 3, failed: 4 },
    captions: { seen: 5, stored: 6, skipped: 7, failed: 8 },
  },
  startedAt: new Date('2024-05-06T07:08:09.123Z'),
  endedAt: null,
  number: 2 ** 33,
  owner: null,
  lease: null,
  truncated: { count: 7, first: ['a', 'b"'] },
};

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const seen: T[] = [];
  for await (const value of values) seen.push(value);
  return seen;
}

/** Failures and runs. */
export function registrySuite(open: OpenStore): void {
  test('FailureTable keeps one record for each collection and key', async (t) => {
    const { failures } = await open(t);
    const first: FailureRecord[] = [
      failureRecord("it's"),
      failureRecord("it's", { kind: 'caption', sha256: 'cd', retriable: true }),
      failureRecord("it's", { collection: 'other' }),
      failureRecord('lone\ud800', { kind: 'broken', message: 'Cannot "read"\n\0' }),
    ];
    await failures.upsert(first);
    await failures.upsert([failureRecord("it's", { attempts: 2, failedAt: new Date(5) })]);
    assert.equal(await failures.count(), 4);
    assert.equal(await failures.count('default'), 3);
    const found = await failures.find(
      'default',
      [...first, failureRecord('missing')].map(({ key }) => key),
    );
    assert.equal(found.length, 3);
    assert.deepEqual(
      found.find(({ kind }) => kind === 'image'),
      { ...first[0], attempts: 2, failedAt: new Date(5) },
    );
    assert.deepEqual(
      found.find(({ kind }) => kind === 'caption'),
      first[1],
    );
    assert.deepEqual(
      found.find(({ kind }) => kind === 'broken'),
      first[3],
    );
    assert.deepEqual(await all(failures.scan('other')), [first[2]]);
    await failures.delete([failureRecord("it's")]);
    assert.equal((await all(failures.scan())).length, 3);
    assert.equal((await failures.find('default', [first[1]?.key ?? '']))[0]?.kind, 'caption');
    await failures.delete([]);
    await failures.upsert([]);
    await assert.rejects(failures.upsert([failureRecord('a'), failureRecord('a')]), /bug/);
  });

  test('FailureTable deletes many keys at once and survives optimize', async (t) => {
    const { failures } = await open(t);
    const records = Array.from({ length: 12_000 }, (_, index) =>
      failureRecord(`folder/it's ${index}`, { kind: index % 2 === 0 ? 'image' : 'caption' }),
    );
    await failures.upsert(records);
    await failures.optimize();
    await failures.delete(records.slice(100));
    assert.equal(await failures.count(), 100);
    await failures.upsert(records.slice(0, 200));
    assert.equal(await failures.count(), 200);
    assert.equal(
      (
        await failures.find(
          'default',
          records.map(({ key }) => key),
        )
      ).length,
      200,
    );
  });

  test('FailureTable keeps what a later run has listed', async (t) => {
    const { failures } = await open(t);
    await failures.upsert([failureRecord('a', { runNumber: 7, attempts: 2 }), failureRecord('b')]);
    await failures.upsert([failureRecord('a', { runNumber: 6 }), failureRecord('b', { runNumber: 6 })]);
    const found = await failures.find('default', imageKeys(['a', 'b']));
    assert.deepEqual(found.map(({ runNumber }) => runNumber).sort(), [6, 7]);
    await failures.upsert([failureRecord('a', { runNumber: 7, attempts: 3 })]);
    assert.equal((await failures.find('default', imageKeys(['a'])))[0]?.attempts, 3);
  });

  test('RunTable keeps the newest state of each run', async (t) => {
    const { runs } = await open(t);
    const run = RUN;
    const ended: RunRecord = {
      ...run,
      state: 'complete',
      seen: 2 ** 40,
      endedAt: new Date('2024-05-06T08:00:00Z'),
    };
    await runs.upsert(run);
    assert.deepEqual(await all(runs.scan()), [run]);
    await runs.upsert(ended);
    await runs.upsert({ ...run, id: 'r2' });
    assert.deepEqual(
      (await all(runs.scan())).sort((a, b) => (a.id < b.id ? -1 : 1)),
      [ended, { ...run, id: 'r2' }],
    );
  });

  test('RunTable numbers runs as they begin, and lets only the owner of a running one change it', async (t) => {
    const { runs } = await open(t);
    const first = await runs.begin({ ...RUN, id: 'r1' });
    const second = await runs.begin({ ...RUN, id: 'r2', owner: 'b' });
    assert.ok(Number(second.number) > Number(first.number));
    assert.deepEqual(await runs.find('r1'), first);
    assert.equal(await runs.update({ ...first, lease: 1 }, 'b'), false);
    assert.equal(await runs.update({ ...first, state: 'complete' }, null), true);
    assert.equal(await runs.update(first, null), false);
    assert.equal((await runs.find('r1'))?.state, 'complete');
    assert.deepEqual(await all(runs.scan({ state: 'running' })), [second]);
  });

  test('CalibrationTable keeps one calibration a model, the newest', async (t) => {
    const { calibrations } = await open(t);
    assert.equal(await calibrations.find('ab'), undefined);
    const first: StoredCalibration = {
      ...{ fingerprint: 'ab', a: 0.1 + 0.2, b: -1e-20, collection: "it's", positives: 250, negatives: 2000 },
      fittedAt: new Date('2024-05-06T07:08:09.123Z'),
    };
    const other = { ...first, fingerprint: 'cd', a: 2 };
    for (const record of [first, other]) await calibrations.put(record);
    assert.deepEqual(await calibrations.find('ab'), first);
    await calibrations.put({ ...first, a: 1 });
    assert.deepEqual(await calibrations.find('ab'), { ...first, a: 1 });
    assert.deepEqual(await calibrations.find('cd'), other);
    assert.equal(await calibrations.find('ef'), undefined);
  });
}
