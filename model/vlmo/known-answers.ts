import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inTurn } from '#devices/gpu-lock.ts';
import { compareAnswers } from '#devices/known-answers.ts';
import type { Provider } from '#devices/provider.ts';
import { makeScratchFolder } from '#scratch-folder.ts';
import type { MappedWeights } from '../prepare-weights.ts';
import { layOutSafetensors } from '../safetensors.ts';
import { createWeights, WEIGHTS_FILE } from '../weights.ts';
import type { VlmoConfig } from './config.ts';
import { feedsOf, type ModelInputs } from './inputs.ts';
import type { GraphKind } from './network.ts';
import { createSession } from './session.ts';
import { MAIN_OUTPUTS } from './sessions.ts';
import { tensorShapes } from './shapes.ts';

/** Every kind of layer, on 17 tokens of a picture and 5 of a text. */
const CONFIG: VlmoConfig = {
  ...{ model_type: 'vlmo', variant: 'custom', dtype: 'f32', weights_sha256: '0'.repeat(64) },
  ...{ image_size: [32, 32], patch_size: [8, 8], num_channels: 3, vocab_size: 16, max_text_length: 8 },
  ...{
    hidden_size: 64,
    intermediate_size: 256,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    vlffn_start: 1,
  },
};
const PARTS = {
  ...{ patchBias: true, positionEmbedding: false, relativeTable: true, layerScale: true, pooler: true },
  ...{ itc: true, itcVl: false, itm: true },
};
/** What another order of additions explains: devices in float32 were 3e-7 apart. */
const BOUND = 1e-4;

/**
 * What the probe asks of a provider: one picture, one text and one pair of a small model that is made for it. Each model
 * proves itself as well when it is loaded.
 */
export async function knownAnswers(provider: Provider): Promise<number> {
  const folder = await makeScratchFolder(tmpdir(), 'vlmo-answers-');
  try {
    const weights = await writeWeights(folder);
    const expected = await answer('cpu', weights);
    const received = await answer(provider, weights);
    return compareAnswers({ device: provider, what: 'a value of a model', expected, received, bound: BOUND });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writeWeights(folder: string): Promise<MappedWeights> {
  const shapes = tensorShapes(CONFIG, PARTS);
  const { header, places } = layOutSafetensors(
    new Map([...shapes].map(([name, shape]) => [name, { dtype: 'F32', shape } as const])),
  );
  const tensors = [...places.values()].map(({ length, offset }) =>
    Buffer.from(waves(length / Float32Array.BYTES_PER_ELEMENT, offset, 0.1).buffer),
  );
  await writeFile(join(folder, WEIGHTS_FILE), Buffer.concat([header, ...tensors]));
  return { folder, weights: createWeights(WEIGHTS_FILE, places) };
}

/** The vectors of the picture and the text and the logits of the pair, one after the other. */
async function answer(provider: Provider, prepared: MappedWeights): Promise<number[]> {
  const pixels = { data: waves(3 * 32 * 32, 1, 1), dims: [1, 3, 32, 32] };
  const tokens = { ids: Int32Array.of(2, 5, 7, 11, 3), length: 5 };
  const inputs = { image: { pixels }, text: { tokens }, fusion: { pixels, tokens } } as const;
  const values: number[] = [];
  for (const [kind, given] of Object.entries(inputs) as [GraphKind, ModelInputs][]) {
    const output = MAIN_OUTPUTS[kind];
    const session = await createSession(kind, [output], CONFIG, prepared, { threads: 1, provider });
    try {
      const { [output]: found } = await inTurn(provider, () => session.run(feedsOf(CONFIG, given)));
      if (!found) throw new Error(`The session gave no "${output}": this is a bug`);
      values.push(...(found.data as Float32Array));
    } finally {
      await inTurn(provider, () => session.release());
    }
  }
  return values;
}

/** Values that are unlike each other. */
function waves(length: number, phase: number, scale: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length }, (_, i) => scale * Math.sin(phase + i * i * 0.37));
}
