import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { halfToFloat } from '#float16.ts';
import { readGraph } from '#onnx/read-graph.ts';
import { pictureSize, pictureValues } from '#pictures/picture-spec.ts';
import { readSafetensorsHeader } from '../safetensors.ts';
import type { HubFolder } from './folder.ts';
import { DTYPES } from './place.ts';
import { floatTensor, unitRows, wholeTensor } from './tower-tensors.ts';

/** What the model made logits of cosines by when it learned: scale * cosine + bias. */
export interface LogitScale {
  readonly scale: number;
  /** 0 for CLIP, which learned by softmax; SigLIP's logits are log-odds of a pair. */
  readonly bias: number;
  /** Where it was found. */
  readonly origin: 'weights' | 'graph';
}

/** By the weights where they are there, or by asking the graph of both sides; undefined where neither tells. */
export async function readScale(folder: HubFolder): Promise<LogitScale | undefined> {
  return (await scaleOfWeights(folder)) ?? (await scaleOfGraph(folder));
}

async function scaleOfWeights({ place }: HubFolder): Promise<LogitScale | undefined> {
  const path = join(place.folder, 'model.safetensors');
  if (!existsSync(path)) return undefined;
  // Weights of other types than this reader knows.
  const tensors = await readSafetensorsHeader(path).catch(() => new Map());
  const read = async (name: string): Promise<number | undefined> => {
    const found = tensors.get(name);
    if (!found || found.length > 4) return undefined;
    await using file = await open(path);
    const bytes = new Uint8Array(4);
    await file.read(bytes, 0, found.length, found.offset);
    return found.dtype === 'F32'
      ? new Float32Array(bytes.buffer)[0]
      : halfToFloat(new Uint16Array(bytes.buffer, 0, 1))[0];
  };
  const scale = await read('logit_scale');
  if (scale === undefined) return undefined;
  return { scale: Math.exp(scale), bias: (await read('logit_bias')) ?? 0, origin: 'weights' };
}

/** The line through two pairs of one picture with two texts. */
async function scaleOfGraph(folder: HubFolder): Promise<LogitScale | undefined> {
  const file = jointFile(folder);
  if (!file || !folder.rules) return undefined;
  const { inputs, outputs } = readGraph(file);
  const has = (name: string): boolean => outputs.some((output) => output.name === name);
  if (!['logits_per_image', 'image_embeds', 'text_embeds'].every(has)) return undefined;
  const session = await ort.InferenceSession.create(file, { logSeverityLevel: 3 });
  try {
    const { rules, picture } = folder;
    const feeds: Record<string, ort.Tensor> = {};
    for (const input of inputs) {
      const ids = Int32Array.from({ length: 2 * rules.maxTokens }, (_, i) => (i * 7 + (i >> 3)) % 40);
      const dims = [2, rules.maxTokens];
      if (input.name === 'pixel_values') {
        const pixels = Float32Array.from({ length: pictureValues(picture) }, (_, i) => Math.sin(i * 0.37));
        feeds[input.name] = floatTensor(input, pixels, [1, picture.channels, ...pictureSize(picture)]);
      } else if (input.name === 'input_ids') feeds[input.name] = wholeTensor(input, ids, dims);
      else feeds[input.name] = wholeTensor(input, new Int32Array(ids.length).fill(1), dims);
    }
    const found = await session.run(feeds);
    return lineOf(
      found.logits_per_image as ort.Tensor,
      unitRows(found.image_embeds as ort.Tensor, 1, 'a picture'),
      unitRows(found.text_embeds as ort.Tensor, 2, 'a text'),
    );
  } finally {
    await session.release();
  }
}

function lineOf(logits: ort.Tensor, picture: Float32Array, texts: Float32Array): LogitScale | undefined {
  const values = Float32Array.from(logits.data as unknown as ArrayLike<number>);
  const cosine = (text: number): number =>
    picture.reduce((sum, value, i) => sum + value * (texts[text * picture.length + i] as number), 0);
  const [first, second] = [cosine(0), cosine(1)];
  const [a = 0, b = 0] = values;
  // Texts that the model hardly tells apart say nothing of a line.
  if (Math.abs(first - second) < 1e-4) return undefined;
  const scale = (a - b) / (first - second);
  const bias = a - scale * first;
  return { scale, bias: Math.abs(bias) < 1e-3 * scale ? 0 : bias, origin: 'graph' };
}

function jointFile({ place: { folder, dtype } }: HubFolder): string | undefined {
  const dtypes = dtype ? [DTYPES[dtype], ...Object.values(DTYPES)] : Object.values(DTYPES);
  return dtypes.map((suffix) => join(folder, 'onnx', `model${suffix}.onnx`)).find((file) => existsSync(file));
}
