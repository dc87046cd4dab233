import { errorMessage, toErrorData, VlmoError } from '#errors.ts';
import { openModel } from '#model/open-model.ts';
import type { ModelPrecision } from '#model/precision.ts';
import { runTask } from '#model/run-task.ts';
import { pictureValues } from '#pictures/picture-spec.ts';
import type { InferenceResult, InferenceSetup, InferenceTask } from './protocol.ts';

/**
 * What a thread of the inference pool does, on sessions of its own: pictures or texts to vectors, and both together to
 * logits, by a session that is made for the first of them. It never rejects:
 * a thread that fails to load would end the whole process, and structuredClone drops an error's code.
 */
export async function createEmbedder(
  setup: InferenceSetup,
): Promise<(task: InferenceTask) => Promise<InferenceResult>> {
  // What could not be loaded is tried again by each task: a person may have mended it.
  let loaded = await load(setup).catch(unstarted);
  return async (task) => {
    if ('kind' in loaded) loaded = await load(setup).catch(unstarted);
    if ('kind' in loaded) return loaded;
    const { embed, isCut, precision } = loaded;
    return embed(task).then(
      (vectors) => ({ kind: 'vectors', vectors, cut: cutTexts(task, isCut), precision: precision() }),
      failed,
    );
  };
}

/** Which texts of a task the model does not read to their ends. */
function cutTexts(task: InferenceTask, isCut: (text: string) => boolean): readonly number[] {
  if (task.kind !== 'texts') return [];
  return task.texts.flatMap((text, index) => (isCut(text) ? [index] : []));
}

interface Loaded {
  readonly embed: (task: InferenceTask) => Promise<Float32Array>;
  readonly isCut: (text: string) => boolean;
  readonly precision: () => ModelPrecision;
}

async function load(setup: InferenceSetup): Promise<Loaded> {
  const { modelPath, ...how } = setup;
  const model = await openModel(modelPath);
  const pictureBytes = pictureValues(model.picture);
  const loaded = await model.load({ ...how, ready: model.embeds });
  const embed = async (task: InferenceTask): Promise<Float32Array> => {
    if (task.kind === 'release') {
      await loaded[Symbol.asyncDispose]();
      return new Float32Array();
    }
    if (task.kind === 'precision') return new Float32Array();
    return runTask(loaded, task, pictureBytes);
  };
  return { embed, isCut: loaded.isCut, precision: () => loaded.precision() };
}

type Failed = Exclude<InferenceResult, { readonly kind: 'vectors' }>;

function unstarted(error: unknown): Failed {
  return { ...failed(error), kind: 'unstarted' };
}

function failed(error: unknown): Failed {
  if (error instanceof VlmoError) return { kind: 'failed', error: toErrorData(error, error.code) };
  const message = `Cannot run the model: expected vectors, received an error (${errorMessage(error)})`;
  return { kind: 'failed', error: { code: 'INFERENCE_FAILED', message } };
}
