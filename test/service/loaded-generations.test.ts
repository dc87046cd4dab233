import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { LoadedGenerations } from '#service/loaded-generations.ts';
import { resolveSettings } from '#service/settings.ts';
import type { GenerationRecord, Store } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';
import { openModelGeneration } from '../engine/engine-fixture.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';

const folder = await temporaryFolder({ after });
const MODEL = await importTiny(folder);
const SETTINGS = resolveSettings({ device: 'cpu', inferenceWorkers: 1, decodeThreads: 1 });
let store: Store;
let generation: GenerationRecord;

before(async () => {
  store = await openStore(join(folder, 'index'), { create: true });
  generation = await openModelGeneration(store, MODEL);
});
after(() => store.close());

describe('LoadedGenerations', { timeout: 300_000 }, () => {
  test('a generation is loaded once, also by those who ask at once, and its model once', async () => {
    await using fresh = new LoadedGenerations(store, SETTINGS);
    const loaded = await Promise.all([1, 2, 3].map(() => fresh.use(generation, async (one) => one)));
    assert.equal(new Set(loaded).size, 1);
    const pools = await Promise.all([1, 2, 3].map(() => fresh.use(generation, async (one) => one.pools())));
    assert.equal(new Set(pools).size, 1);
  });

  test('two stay loaded; the one longest unused makes room for a third, one in use never', async () => {
    await using fresh = new LoadedGenerations(store, SETTINGS);
    const records = await Promise.all(
      ['second', 'third'].map((collection) => openModelGeneration(store, MODEL, collection)),
    );
    const [second, third] = records as [GenerationRecord, GenerationRecord];
    const first = await fresh.use(generation, async (one) => one);
    await fresh.use(second, async (inUse) => {
      await fresh.use(generation, async (one) => assert.equal(one, first, 'still loaded'));
      await fresh.use(third, async () => undefined);
      await fresh.use(second, async (again) => assert.equal(again, inUse, 'in use, so it stays'));
      await (await inUse.encoder()).embedTexts(['it works']);
    });
    await fresh.use(generation, async (again) => assert.notEqual(again, first, 'it had made room'));
  });

  test('what nobody uses for so long is given back, and loaded anew when it is asked; what is in use stays', async () => {
    await using fresh = new LoadedGenerations(store, { ...SETTINGS, idleUnloadMinutes: 0.1 / 60 });
    const first = await fresh.use(generation, async (one) => {
      await (await one.encoder()).embedTexts(['it works']);
      await setTimeout(300);
      return one;
    });
    await fresh.use(generation, async (again) => assert.equal(again, first, 'in use until now'));
    await setTimeout(300);
    await fresh.use(generation, async (again) => {
      assert.notEqual(again, first);
      await (await again.encoder()).embedTexts(['it works again']);
    });
  });

  test('what could not be loaded is loaded the next time', async () => {
    await using fresh = new LoadedGenerations(store, SETTINGS);
    const lost = { ...generation, modelPath: join(folder, 'gone') };
    await assert.rejects(
      fresh.use(lost, async ({ encoder }) => encoder()),
      { code: 'MODEL_NOT_FOUND' },
    );
    const dimensions = await fresh.use(generation, async ({ encoder }) => (await encoder()).model.dimensions);
    assert.equal(dimensions, generation.dimensions);
  });
});
