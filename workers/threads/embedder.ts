import { join } from 'node:path';
import { errorMessage, toErrorData, VlmoError } from '#errors.ts';
import { readSafetensorsHeader } from '#model/safetensors.ts';
import { pictureValues } from '#model/vlmo/config.ts';
import { openModelFolder, WEIGHTS_FILE } from '#model/vlmo/folder.ts';
import { loadVlmo } from '#model/vlmo/vlmo.ts';
import { createWeights } from '#model/vlmo/weights.ts';
import { normalise } from '#pictures/preprocess.ts';
import type { InferenceResult, InferenceSetup, InferenceTask } from './protocol.ts';

/**
 * What a thread of the inference pool does, on sessions of its own: pictures or texts to vectors, and both together to
 * logits, by a session that is made for the first of them. It never rejects:
 * a thread that fails to load would end the whole process, and structuredClone drops an error's code.
 */
export async function createEmbedder(
  setup: InferenceSetup,
): Promise<(task: InferenceTask) => Promise<InferenceResult>> {
  try {
    const { embed, isCut } = await load(setup);
    return (task) =>
      embed(task).then((vectors) => ({ kind: 'vectors', vectors, cut: cutTexts(task, isCut) }), failed);
  } catch (error) {
    return async () => failed(error);
  }
}

/** Which texts of a task the model does not read to their ends. */
function cutTexts(task: InferenceTask, isCut: (text: string) => boolean): readonly number[] {
  if (task.kind !== 'texts') return [];
  return task.texts.flatMap((text, index) => (isCut(text) ? [index] : []));
}

interface Loaded {
  readonly embed: (task: InferenceTask) => Promise<Float32Array>;
  readonly isCut: (text: string) => boolean;
}

async function load(setup: InferenceSetup): Promise<Loaded> {
  const folder = await openModelFolder(setup.modelPath);
  const tensors = await readSafetensorsHeader(join(setup.weightsFolder, WEIGHTS_FILE));
  const weights = { folder: setup.weightsFolder, weights: createWeights(WEIGHTS_FILE, tensors) };
  const { threads, provider } = setup;
  const vlmo = await loadVlmo(folder, { threads, provider, graphs: ['image', 'text'], weights });
  const { num_channels: channels, image_size: size } = folder.config;
  const pictures = createNormaliser(pictureValues(folder.config));
  const embed = async (task: InferenceTask): Promise<Float32Array> => {
    if (task.kind === 'release') {
      await vlmo[Symbol.asyncDispose]();
      return new Float32Array();
    }
    if (task.kind === 'texts') return (await vlmo.embedTexts(task.texts)).data;
    const pixels = { data: pictures(task), dims: [task.count, channels, ...size] };
    if (task.kind === 'match') return (await vlmo.match(pixels, task.texts)).logits;
    return (await vlmo.embedImages(pixels)).data;
  };
  return { embed, isCut: vlmo.tokenizer.isCut };
}

/** Pictures of 8 bits as the model's input, in memory that is used again for each batch. */
function createNormaliser(
  values: number,
): (task: { readonly pixels: SharedArrayBuffer; readonly count: number }) => Float32Array {
  let memory = new Float32Array();
  return ({ pixels, count }) => {
    const samples = new Uint8Array(pixels, 0, count * values);
    if (memory.length < samples.length) memory = new Float32Array(samples.length);
    const data = memory.subarray(0, samples.length);
    normalise(samples, data);
    return data;
  };
}

function failed(error: unknown): InferenceResult {
  if (error instanceof VlmoError) return { kind: 'failed', error: toErrorData(error, error.code) };
  const message = `Cannot run the model: expected vectors, received an error (${errorMessage(error)})`;
  return { kind: 'failed', error: { code: 'INFERENCE_FAILED', message } };
}
