import { join } from 'node:path';
import { openModelFolder, WEIGHTS_FILE } from '#model/folder.ts';
import { readSafetensorsHeader } from '#model/safetensors.ts';
import { loadVlmo } from '#model/vlmo.ts';
import { createWeights } from '#model/weights.ts';
import type { InferenceResult, InferenceSetup, InferenceTask } from './protocol.ts';

/** What a thread of the inference pool does: pictures or texts to vectors, on sessions of its own. */
export async function createEmbedder(
  setup: InferenceSetup,
): Promise<(task: InferenceTask) => Promise<InferenceResult>> {
  const folder = await openModelFolder(setup.modelPath);
  const tensors = await readSafetensorsHeader(join(setup.weightsFolder, WEIGHTS_FILE));
  const weights = { folder: setup.weightsFolder, weights: createWeights(WEIGHTS_FILE, tensors) };
  const vlmo = await loadVlmo(folder, { threads: setup.threads, graphs: ['image', 'text'], weights });
  const { num_channels: channels, image_size: size } = folder.config;
  return async (task) => {
    if (task.kind === 'texts') return (await vlmo.embedTexts(task.texts)).data;
    const dims = [task.count, channels, ...size];
    const data = new Float32Array(
      task.pixels,
      0,
      dims.reduce((product, n) => product * n, 1),
    );
    return (await vlmo.embedImages({ data, dims })).data;
  };
}
