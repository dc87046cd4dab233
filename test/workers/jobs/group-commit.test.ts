import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { VlmoError } from '#errors.ts';
import type { ChunkRecord, ChunkResult, Ledger } from '#store/contract.ts';
import { GroupCommit } from '#workers/jobs/group-commit.ts';
import { chunkResult } from '../../engine/engine-fixture.ts';
import { collect } from '../../pipeline/pipeline-fixture.ts';
import { temporaryStore } from '../../store/lance/store-fixture.ts';

function chunk(id: string): ChunkRecord {
  return { run: 'r', id, items: 2, data: '{}', priority: 'normal' };
}

/** A ledger whose commits wait until they are let go, and are counted. */
function heldLedger(ledger: Ledger, results: ChunkResult[][], outcomes: readonly Promise<void>[]): Ledger {
  return {
    ...ledger,
    async settle(some) {
      results.push([...some]);
      await outcomes[results.length - 1];
      await ledger.settle(some);
    },
  };
}

describe('GroupCommit', () => {
  test('all that comes during one commit goes in the next one, and is in the store when it is said to be', async (t) => {
    const store = await temporaryStore(t);
    await store.ledger.addChunks(['a', 'b', 'c', 'd'].map(chunk));
    const commits: ChunkResult[][] = [];
    const first = Promise.withResolvers<void>();
    const groupCommit = new GroupCommit(heldLedger(store.ledger, commits, [first.promise]));
    const a = groupCommit.add(chunkResult('a'));
    await untilLength(commits, 1);
    const others = ['b', 'c', 'd'].map((id) => groupCommit.add(chunkResult(id)));
    assert.equal(commits.length, 1);
    first.resolve();
    await a;
    assert.ok(!(await collect(store.ledger.unsettled('r'))).includes('a'));
    await Promise.all(others);
    assert.deepEqual(
      commits.map((results) => results.map(({ chunk }) => chunk)),
      [['a'], ['b', 'c', 'd']],
    );
    assert.deepEqual(await collect(store.ledger.unsettled('r')), []);
  });

  test('an error reaches all of its commit, and the next commit works', async (t) => {
    const store = await temporaryStore(t);
    await store.ledger.addChunks(['a', 'b', 'c'].map(chunk));
    const commits: ChunkResult[][] = [];
    const first = Promise.withResolvers<void>();
    const groupCommit = new GroupCommit(heldLedger(store.ledger, commits, [first.promise]));
    const both = [groupCommit.add(chunkResult('a')), groupCommit.add(chunkResult('b'))];
    await untilLength(commits, 1);
    const next = groupCommit.add(chunkResult('c'));
    const full = new VlmoError('STORE_WRITE_FAILED', 'Cannot write');
    first.reject(full);
    for (const one of both) await assert.rejects(one, full);
    await next;
    assert.deepEqual((await collect(store.ledger.unsettled('r'))).sort(), ['a', 'b']);
    await groupCommit.add(chunkResult('a'));
    assert.deepEqual(await collect(store.ledger.unsettled('r')), ['b']);
  });
});

async function untilLength(list: readonly unknown[], length: number): Promise<void> {
  while (list.length < length) await new Promise((resolve) => setImmediate(resolve));
}
