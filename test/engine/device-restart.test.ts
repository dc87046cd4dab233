import assert from 'node:assert/strict';
import { test } from 'node:test';
import { restartOnce } from '#engine/device-restart.ts';
import { type Engine, EngineDied } from '#engine/engine.ts';
import { VlmoError } from '#errors.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';
import { scriptedEngine } from './engine-fixture.ts';

const LOAD = { kind: 'warm', collection: 'default' } as const;

/** An engine whose device is lost in some of its starts, with two calls of it that know nothing of each other. */
function fallible(isWell: (start: number) => boolean) {
  let start = 0;
  const waiting = new Set<(error: Error) => void>();
  const engine: Engine = {
    ...scriptedEngine({}),
    async call() {
      if (isWell(start)) return null as never;
      const died = Promise.withResolvers<never>();
      waiting.add(died.reject);
      // The first to ask learns of it; who asks beside it sees the process end.
      if (waiting.size === 1) died.reject(new VlmoError('DEVICE_LOST', `start ${start} lost its device`));
      return died.promise;
    },
    async restart() {
      for (const reject of waiting) reject(new EngineDied('it was ended'));
      waiting.clear();
      start += 1;
    },
  };
  const restarts: string[] = [];
  const lost: string[] = [];
  const guarded = restartOnce(
    engine,
    (reason) => restarts.push(reason),
    ({ message }) => lost.push(message),
  );
  return { guarded, restarts, lost };
}

test('restartOnce: a device that is lost costs one start, and every call is answered', async () => {
  const { guarded, restarts, lost } = fallible((start) => start === 1);
  assert.deepEqual(await Promise.all([guarded.call(LOAD), guarded.call(LOAD)]), [null, null]);
  assert.equal(await guarded.call(LOAD), null);
  assert.deepEqual([restarts, lost], [['start 0 lost its device'], []]);
});

test('restartOnce: one that is lost again ends with the reason', async () => {
  const { guarded, restarts, lost } = fallible(() => false);
  await assert.rejects(guarded.call(LOAD), vlmoError('DEVICE_LOST', 'start 1'));
  assert.deepEqual([restarts.length, lost], [1, ['start 1 lost its device']]);
});

test('restartOnce: what is no device’s fault passes, an end of the process too', async () => {
  for (const error of [new VlmoError('MODEL_INVALID', 'another'), new EngineDied('it ended')]) {
    const engine = scriptedEngine({ warm: () => Promise.reject(error) });
    const guarded = restartOnce(engine, assert.fail, assert.fail);
    await assert.rejects(guarded.call(LOAD), error);
    assert.deepEqual(engine.calls, ['warm']);
  }
});
