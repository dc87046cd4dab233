import { compareAnswers } from '#devices/known-answers.ts';
import type { Provider } from '#devices/provider.ts';
import { pictureValues, squashed } from '#pictures/picture-spec.ts';
import type { VlmoConfig } from './config.ts';
import type { Tensor } from './inputs.ts';
import type { GraphKind } from './network.ts';

/** Of vectors of unit length, where devices in float32 were 3e-7 apart, and of logits, which are some units large. */
const BOUNDS = { image: 1e-4, text: 1e-4, fusion: 1e-2 } as const;
const WHAT = {
  image: "a value of a picture's vector",
  text: "a value of a text's vector",
  fusion: 'a logit of a pair',
} as const;
const TEXT = 'a red car in front of 2 houses';

/** What of a model is proven. */
export interface ProvenModel {
  readonly folder: { readonly path: string };
  readonly config: VlmoConfig;
  embedImages(pixels: Tensor): Promise<Tensor>;
  embedTexts(texts: readonly string[]): Promise<Tensor>;
  match(pixels: Tensor, texts: readonly string[]): Promise<{ readonly logits: Float32Array }>;
}

const proofs = new Map<string, Promise<number>>();

/**
 * Proves what computes a model by one picture, one text and one pair, as far as these graphs are asked for: once a process,
 * model and device. Gives the largest difference from the CPU. Throws DEVICE_WRONG.
 */
export function proveVlmo(
  vlmo: ProvenModel,
  provider: Provider,
  graphs: readonly GraphKind[],
  openOnCpu: () => Promise<ProvenModel & AsyncDisposable>,
): Promise<number> {
  const key = JSON.stringify([provider, vlmo.folder.path, vlmo.config, graphs]);
  const proof = proofs.get(key) ?? prove(vlmo, provider, graphs, openOnCpu);
  proofs.set(key, proof);
  // What could not be tried may be tried again.
  proof.catch(() => proofs.delete(key));
  return proof;
}

async function prove(
  vlmo: ProvenModel,
  device: Provider,
  graphs: readonly GraphKind[],
  openOnCpu: () => Promise<ProvenModel & AsyncDisposable>,
): Promise<number> {
  await using reference = await openOnCpu();
  let largest = 0;
  for (const graph of graphs) {
    const expected = await answer(reference, graph);
    const received = await answer(vlmo, graph);
    const comparison = { device, what: WHAT[graph], expected, received, bound: BOUNDS[graph] };
    largest = Math.max(largest, compareAnswers(comparison));
  }
  return largest;
}

async function answer(vlmo: ProvenModel, graph: GraphKind): Promise<Float32Array> {
  if (graph === 'text') return (await vlmo.embedTexts([TEXT])).data;
  const picture = waves(vlmo);
  return graph === 'image'
    ? (await vlmo.embedImages(picture)).data
    : (await vlmo.match(picture, [TEXT])).logits;
}

/** One picture of normalised pixels, no two patches alike: [1, C, H, W]. */
function waves({ config }: ProvenModel): Tensor {
  const length = pictureValues(squashed(config.image_size, config.num_channels));
  const data = Float32Array.from({ length }, (_, i) => Math.sin(i * (0.1 + i / 1e6)));
  return { data, dims: [1, config.num_channels, ...config.image_size] };
}
