import assert from 'node:assert/strict';
import test from 'node:test';
import { createTidying } from '#store/lance/compaction-policy.ts';

/** After how many commits of `rows` rows a table of `before` rows is optimised. */
function commitsUntilDue(rows: number, before: number): number {
  const tidying = createTidying();
  tidying.done(before);
  for (let commit = 1; ; commit++) if (tidying.isDueAfter(rows)) return commit;
}

test('createTidying waits for 64 commits, and longer where little was written beside a large table', () => {
  assert.equal(commitsUntilDue(2048, 0), 64);
  assert.equal(commitsUntilDue(2048, 1_000_000), 64);
  assert.equal(commitsUntilDue(1000, 1_000_000), 125);
  assert.equal(
    commitsUntilDue(1000, 1_000_000_000),
    132,
    'full fragments are not rewritten, so do not count',
  );
  assert.equal(commitsUntilDue(1, 1_000_000), 512, 'never more than 512 fragments');
});

test('createTidying starts again after each time', () => {
  const tidying = createTidying();
  for (let commit = 1; commit < 64; commit++) assert.equal(tidying.isDueAfter(10), false);
  tidying.done(630);
  assert.equal(tidying.isDueAfter(10), false);
});
