import type { Device } from '#devices/device.ts';
import { type CrossEncoder, createCrossEncoder } from '#model/cross-encoder.ts';
import { fingerprint } from '#model/fingerprint.ts';
import type { Model } from '#model/model.ts';
import { openModel } from '#model/open-model.ts';
import { TokenCache } from '#model/token-cache.ts';
import { kept } from './kept.ts';
import { type LoadedRunner, loadRunner } from './loaded-runner.ts';
import type { Settings } from './settings.ts';

/** How it resizes pictures: what its network costs is far more than what "fast" would save. */
const PREPROCESS = 'reference';

/** A model that reads pairs for generations of any model. */
export interface Reranker extends AsyncDisposable {
  model(): Promise<Model>;
  crossEncoder(): Promise<CrossEncoder>;
}

/** Each part is loaded when it is first asked for. */
export function loadReranker(
  path: string,
  device: () => Promise<Device>,
  settings: Settings,
  note: (line: string) => void,
): Reranker {
  const model = kept(() => openReranker(path));
  const runner: LoadedRunner = loadRunner({ model, device, preprocess: () => PREPROCESS, settings, note });
  return {
    model,
    crossEncoder: kept(async () => {
      const digest = await fingerprint(await model(), PREPROCESS);
      const cache = tokenCache(await model(), digest, settings, note);
      return createCrossEncoder(await runner.runner(), { cache, fingerprint: digest });
    }),
    [Symbol.asyncDispose]: () => runner[Symbol.asyncDispose](),
  };
}

/** A model folder that reads a picture and a text together. Throws MODEL_NOT_FOUND, MODEL_INVALID, MODEL_HEAD_MISSING. */
export async function openReranker(path: string): Promise<Model> {
  const model = await openModel(path);
  model.requireMatching();
  return model;
}

function tokenCache(
  model: Model,
  digest: string,
  { rerankerMemory: maxBytes, rerankerCache: folder }: Settings,
  note: (line: string) => void,
): TokenCache | undefined {
  const { pictureTokens } = model.requireMatching();
  if (pictureTokens === null) return undefined;
  const bytesEach = pictureTokens * Float32Array.BYTES_PER_ELEMENT;
  return new TokenCache({ bytesEach, maxBytes, folder, fingerprint: digest, note });
}
