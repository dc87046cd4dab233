import { VlmoError } from '#errors.ts';
import { fingerprint } from '#model/fingerprint.ts';
import type { Model } from '#model/model.ts';
import { openModel } from '#model/open-model.ts';
import { PREPROCESS_MODES, type PreprocessMode } from '#pictures/preprocess.ts';
import type { GenerationRecord } from '#store/contract.ts';

/** Opens a model folder and proves that it made this generation. Throws SEARCH_MODEL_MISMATCH. */
export async function openGenerationModel(record: GenerationRecord, path = record.modelPath): Promise<Model> {
  const model = await openModel(path);
  if ((await fingerprint(model, preprocessMode(record))) === record.fingerprint) return model;
  throw new VlmoError(
    'SEARCH_MODEL_MISMATCH',
    `Cannot search collection "${record.collection}": expected its model "${record.modelName}" (${record.modelPath}), received "${model.name}" (${model.path}), whose vectors cannot be compared with it; index the collection with that model first`,
  );
}

/** The preprocessing that made a generation. The fingerprint holds it too: one that is not known made none that opens. */
export function preprocessMode({ name, preprocess: mode }: GenerationRecord): PreprocessMode {
  const known = PREPROCESS_MODES.find((candidate) => candidate === mode);
  if (known) return known;
  throw new Error(`Generation "${name}" has preprocessing "${mode}", which is not known: this is a bug`);
}
