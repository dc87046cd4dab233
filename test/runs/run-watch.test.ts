import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, describe, test } from 'node:test';
import { describeProcess, isGone } from '#host-process.ts';
import { RunWatch, STILL_MS } from '#runs/run-watch.ts';
import { runRecord } from '../engine/engine-fixture.ts';
import { captionItems, result, sourceOf, startQueuedTests } from '../pipeline/queued-fixture.ts';

const begin = await startQueuedTests({ after });

/** A process of another boot, machine or container: a number that runs here means nothing. */
const ELSEWHERE = JSON.stringify({ ...JSON.parse(describeProcess()), host: 'another boot pid:[1]' });

describe('RunWatch', { timeout: 120_000 }, () => {
  test('a direct run of another host has ended when its lease stood still for a minute of this clock', async (t) => {
    const { store, generation } = await begin(t);
    let now = 5e9;
    const watch = new RunWatch(() => now);
    const run = (lease: number) => runRecord(generation, { kind: 'direct', owner: ELSEWHERE, lease });
    assert.equal(await watch.hasEnded(store, run(3)), false, 'one look tells nothing');
    now += STILL_MS - 1;
    assert.equal(await watch.hasEnded(store, run(3)), false);
    assert.equal(await watch.hasEnded(store, run(4)), false, 'it has moved');
    now += STILL_MS - 1;
    assert.equal(await watch.hasEnded(store, run(4)), false);
    now += 1;
    assert.equal(await watch.hasEnded(store, run(4)), true);
    assert.equal(await watch.hasEnded(store, run(5)), false, 'it was only slow');
  });

  test('a direct run of this host has ended as soon as its process is gone, whoever has its number', async (t) => {
    const { store, generation } = await begin(t);
    const watch = new RunWatch();
    const own = JSON.parse(describeProcess()) as object;
    const child = spawn('sleep', ['60']);
    const alive = JSON.stringify({ ...own, pid: child.pid, started: '' });
    const runOf = (owner: string) => runRecord(generation, { kind: 'direct', owner, lease: 1 });
    assert.equal(await watch.hasEnded(store, runOf(describeProcess())), false);
    assert.equal(await watch.hasEnded(store, runOf(alive)), false);
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.equal(await watch.hasEnded(store, runOf(alive)), true);
    const before = JSON.stringify({ ...own, started: '1' });
    assert.equal(await watch.hasEnded(store, runOf(before)), true, 'the number is that of a younger process');
    assert.equal(isGone(ELSEWHERE), false);
  });

  test('what ended says so, and a queued run lives as long as it has chunks to do', async (t) => {
    const queued = await begin(t);
    const { store, generation } = queued;
    const watch = new RunWatch();
    const record = (changes: object) => runRecord(generation, { owner: null, ...changes });
    assert.equal(await watch.hasEnded(store, record({ kind: 'direct', state: 'failed' })), true);
    assert.equal(await watch.hasEnded(store, record({ kind: 'queued', submitted: true })), false);
    const stop = new AbortController();
    const source = sourceOf(captionItems(0, 400), (i) => void (i === 200 && stop.abort()));
    const { run } = await queued.submit(source, { signal: stop.signal });
    const half = await store.runs.find(run);
    assert.ok(half);
    assert.equal(await watch.hasEnded(store, half), false, 'its submission ended, its chunks wait');
    for await (const id of store.ledger.ids(run)) await store.ledger.settle([result(run, id)]);
    assert.equal(await watch.hasEnded(store, half), true);
  });
});
