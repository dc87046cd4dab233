import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { captionItems, sourceOf, startQueuedTests } from '../pipeline/queued-fixture.ts';

const begin = await startQueuedTests({ after });

test('submitSource: captions that are cut are counted, the first five named; none where nobody says which', async (t) => {
  const { submit } = await begin(t);
  const isCut = (caption: string): boolean => caption !== 'red c3';
  const { truncated } = await submit(sourceOf(captionItems(0, 12)), { isCut });
  assert.deepEqual([truncated.count, truncated.first], [11, ['c0', 'c1', 'c2', 'c4', 'c5']]);
  const uncounted = await submit(sourceOf(captionItems(20, 24)), { options: { other: true } });
  assert.equal(uncounted.truncated.count, 0);
});
