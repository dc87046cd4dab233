import { VlmoError } from '#errors.ts';
import { fingerprint } from '#model/fingerprint.ts';
import { type ModelFolder, openModelFolder } from '#model/vlmo/folder.ts';
import type { PreprocessMode } from '#pictures/preprocess.ts';
import type { GenerationTables, Store } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';
import { note } from './output.ts';
import { resolveModel } from './resolve-model.ts';

export interface TargetFlags {
  readonly index: string;
  readonly model: string | undefined;
  readonly collection: string;
}

export interface Target {
  readonly model: ModelFolder;
  readonly store: Store;
  readonly tables: GenerationTables;
}

/** Where a source is indexed to: the generation of a collection, registered in the index where it is new. */
export async function openTarget(flags: TargetFlags, preprocess: PreprocessMode): Promise<Target> {
  const model = await openModelFolder(await knownModel(flags));
  requireEmbedding(model);
  const spec = {
    collection: flags.collection,
    fingerprint: await fingerprint(model, preprocess),
    modelName: model.name,
    modelPath: model.path,
    preprocess,
    dimensions: model.config.hidden_size,
  };
  const store = await openStore(flags.index, { create: true, note });
  try {
    return { model, store, tables: await store.openGeneration(spec) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** The model named, or the one that the collection was indexed with. */
async function knownModel({ model, index, collection }: TargetFlags): Promise<string> {
  if (model !== undefined) return resolveModel(model);
  const record = await openStore(index, { create: false }).then(
    async (store) => {
      await using open = store;
      return await open.activeGeneration(collection);
    },
    (error: unknown) => {
      if (error instanceof VlmoError && error.code === 'STORE_NOT_FOUND') return undefined;
      throw error;
    },
  );
  if (record) return record.modelPath;
  throw new VlmoError(
    'USAGE_INVALID',
    `Cannot index: expected --model FOLDER (or --model demo) for a new collection, received none`,
  );
}

function requireEmbedding({ name, heads, config }: ModelFolder): void {
  if (!heads.itc) {
    throw new VlmoError(
      'MODEL_HEAD_MISSING',
      `Cannot index with model "${name}": expected ITC heads, received a checkpoint without them`,
    );
  }
  if (config.num_channels !== 3 && config.num_channels !== 1) {
    throw new VlmoError(
      'MODEL_INPUT_INVALID',
      `Cannot index with model "${name}": expected pictures of 1 or 3 channels, received a model for ${config.num_channels}`,
    );
  }
}
