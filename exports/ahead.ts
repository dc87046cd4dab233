import type { StoredVectors } from '#store/contract.ts';

/** The same stream, with its next value made while the last one is used. */
export async function* ahead<T>(values: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = values[Symbol.asyncIterator]();
  let next = iterator.next();
  try {
    for (;;) {
      const { done, value } = await next;
      if (done) return;
      next = iterator.next();
      // It is awaited in the next turn; until then nobody else would hear of it.
      next.catch(() => undefined);
      yield value;
    }
  } finally {
    await next.catch(() => undefined);
    await iterator.return?.();
  }
}

/** The same rows in batches of at least so many, but for the last one. */
export async function* gathered<Row>(
  batches: AsyncIterable<StoredVectors<Row>>,
  atLeast: number,
): AsyncGenerator<StoredVectors<Row>> {
  let waiting: StoredVectors<Row>[] = [];
  let count = 0;
  for await (const batch of batches) {
    waiting.push(batch);
    count += batch.rows.length;
    if (count < atLeast) continue;
    yield join(waiting);
    [waiting, count] = [[], 0];
  }
  if (count > 0) yield join(waiting);
}

function join<Row>(batches: readonly StoredVectors<Row>[]): StoredVectors<Row> {
  const halves = new Uint16Array(batches.reduce((sum, batch) => sum + batch.halves.length, 0));
  let at = 0;
  for (const batch of batches) {
    halves.set(batch.halves, at);
    at += batch.halves.length;
  }
  return { rows: batches.flatMap(({ rows }) => rows), halves };
}
