import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChunkRecord, ChunkResult, KindCounts } from '#store/contract.ts';
import { collect } from '../../pipeline/pipeline-fixture.ts';
import type { OpenStore } from './open.ts';

function chunk(id: string, changes: Partial<ChunkRecord> = {}): ChunkRecord {
  return { run: 'r', id, items: 256, data: `{"id":"${id}"}`, priority: 'normal', ...changes };
}

function result(id: string, changes: Partial<ChunkResult> = {}): ChunkResult {
  return {
    run: 'r',
    chunk: id,
    stored: 250,
    skipped: 4,
    failed: 2,
    kinds: KINDS,
    at: new Date(),
    ...changes,
  };
}

const KINDS: KindCounts = {
  images: { stored: 100, skipped: 0, failed: 1 },
  captions: { stored: 150, skipped: 4, failed: 0 },
};

/** The ledger of queued runs. */
export function ledgerSuite(open: OpenStore): void {
  test('Ledger keeps chunks once, whoever adds them again', async (t) => {
    const { ledger } = await open(t);
    await ledger.addChunks([chunk('a'), chunk('b')]);
    await ledger.addChunks([chunk('b', { items: 1, data: 'other' }), chunk('c'), chunk('a', { run: 's' })]);
    assert.deepEqual((await collect(ledger.ids('r'))).sort(), ['a', 'b', 'c']);
    assert.deepEqual(await ledger.find('r', ['b', 'x']), [chunk('b')]);
  });

  test('Ledger counts the first result of a chunk, and no result of a chunk that it does not have', async (t) => {
    const { ledger } = await open(t);
    await ledger.addChunks([chunk('a'), chunk('b'), chunk('c')]);
    const long = new Date(Date.now() - 120_000);
    await ledger.settle([result('a'), result('a', { stored: 0, skipped: 254 })]);
    await ledger.settle([result('a', { stored: 0 }), result('b', { at: long, kinds: null }), result('gone')]);
    const counts = { stored: 500, skipped: 8, failed: 4, kinds: KINDS, recent: 256 };
    assert.deepEqual(await ledger.tally('r'), { chunks: 3, items: 768, ...counts });
    assert.deepEqual(await collect(ledger.unsettled('r')), ['c']);
  });

  test('Ledger forgets chunks that are taken back, and runs that are over', async (t) => {
    const { ledger } = await open(t);
    await ledger.addChunks([chunk('a'), chunk('b'), chunk('a', { run: 's' })]);
    await ledger.settle([result('a'), result('a', { run: 's' })]);
    await ledger.remove('r', ['a']);
    assert.deepEqual([(await ledger.tally('r')).chunks, (await ledger.tally('r')).stored], [1, 0]);
    await ledger.drop('r');
    assert.equal((await ledger.tally('r')).chunks, 0);
    assert.deepEqual([(await ledger.tally('s')).chunks, (await ledger.tally('s')).stored], [1, 250]);
  });
}
