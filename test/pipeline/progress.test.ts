import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ProgressCounter } from '#pipeline/progress.ts';

/** A counter at a time that the test sets, in seconds, over a source that is read as far as it says. */
function counter() {
  const clock = { now: 100, read: undefined as number | undefined };
  const progress = new ProgressCounter(
    () => clock.read,
    () => clock.now,
  );
  return { clock, progress };
}

const NONE = { seen: 0, stored: 0, skipped: 0, failed: 0 };

describe('ProgressCounter', () => {
  test('before anything: nothing, at no rate, with no time left to tell', () => {
    const { progress } = counter();
    assert.deepEqual(progress.snapshot(), {
      seen: 0,
      stored: 0,
      skipped: 0,
      failed: 0,
      knownFailures: 0,
      kinds: { images: NONE, captions: NONE },
      rate: 0,
      fraction: undefined,
      secondsLeft: undefined,
    });
  });

  test('pictures and captions are counted apart, rows that cannot be understood with neither', () => {
    const { progress } = counter();
    for (const kind of ['image', 'caption', 'caption', 'broken'] as const) progress.add('seen', kind);
    progress.add('stored', 'image');
    progress.add('skipped', 'caption');
    progress.add('failed', 'caption');
    progress.add('failed', 'broken');
    progress.add('knownFailures', 'broken');
    const { kinds, seen, failed } = progress.snapshot();
    assert.deepEqual([seen, failed], [4, 2]);
    assert.deepEqual(kinds, {
      images: { seen: 1, stored: 1, skipped: 0, failed: 0 },
      captions: { seen: 2, stored: 0, skipped: 1, failed: 1 },
    });
  });

  test('the rate counts stored, skipped and failed, and not what is only seen', () => {
    const { clock, progress } = counter();
    progress.add('seen', 'image', 1000);
    progress.add('stored', 'image', 30);
    progress.add('skipped', 'image', 5);
    progress.add('failed', 'image', 5);
    progress.add('knownFailures', 'image', 2);
    clock.now += 4;
    assert.equal(progress.snapshot().rate, 10);
  });

  test('the rate is that of the last ten seconds', () => {
    const { clock, progress } = counter();
    for (let second = 0; second < 60; second++) {
      progress.add('stored', 'image', second < 40 ? 1 : 50);
      clock.now += 1;
      progress.snapshot();
    }
    const { rate } = progress.snapshot();
    assert.ok(Math.abs(rate - 50) < 1e-9, `${rate}`);
  });

  test('asked rarely, the rate is that since it was asked before', () => {
    const { clock, progress } = counter();
    progress.snapshot();
    for (const stored of [100, 600]) {
      clock.now += 60;
      progress.add('stored', 'image', stored);
      progress.snapshot();
    }
    assert.equal(progress.snapshot().rate, 10);
  });

  test('what is left is the rest of the source and what was read and is not done yet', () => {
    const { clock, progress } = counter();
    clock.read = 0.5;
    progress.add('seen', 'image', 500);
    progress.add('stored', 'image', 200);
    clock.now += 10;
    const { rate, fraction, secondsLeft } = progress.snapshot();
    // 1,000 in all, 20 a second, 800 left.
    assert.deepEqual([rate, fraction, secondsLeft], [20, 0.2, 40]);
  });

  test('a source that says too little of itself never gives more than all, or less than no time', () => {
    const { clock, progress } = counter();
    clock.read = 1;
    progress.add('seen', 'image', 10);
    progress.add('stored', 'image', 12);
    clock.now += 1;
    const { fraction, secondsLeft } = progress.snapshot();
    assert.deepEqual([fraction, secondsLeft], [1, 0]);
  });

  test('a source that has read nothing yet gives no fraction', () => {
    const { clock, progress } = counter();
    clock.read = 0;
    clock.now += 1;
    assert.equal(progress.snapshot().fraction, undefined);
  });
});
