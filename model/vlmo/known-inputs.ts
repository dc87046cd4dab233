import { pictureValues } from '#pictures/picture-spec.ts';
import { padTokens, type TextEncoder } from '../tokenizer.ts';
import type { ModelFolder } from './folder.ts';
import type { ModelInputs } from './inputs.ts';
import type { GraphKind } from './network.ts';

/** Short and long, so that padding is among what is proven. */
const TEXTS = [
  'a red car in front of 2 houses',
  'a dog',
  'Two people sit on a wooden bench beside the river and read a newspaper, while a child in a yellow coat feeds the ducks.',
  'night',
] as const;

/** What a model is asked before its device and its precision are believed: as many pictures, texts or pairs, at most 4. */
export function knownInputs(
  folder: ModelFolder,
  tokenizer: TextEncoder,
  kind: GraphKind,
  { count, takesSamples }: { readonly count: number; readonly takesSamples: boolean },
): ModelInputs {
  const tokens = padTokens(TEXTS.slice(0, count).map((text) => tokenizer.encode(text)));
  if (kind === 'text') return { tokens };
  const pixels = waves(folder, count);
  const { dims, data } = pixels;
  const samples = { data: Uint8Array.from(data, (value) => Math.round(127.5 * (value + 1))), dims };
  const pictures = takesSamples ? samples : pixels;
  return kind === 'image' ? { pixels: pictures } : { pixels: pictures, tokens };
}

/** Pictures in -1 … 1, no two patches alike: [B, C, H, W]. */
function waves({ picture, config }: ModelFolder, count: number): { data: Float32Array; dims: number[] } {
  const length = pictureValues(picture);
  const data = new Float32Array(count * length);
  for (let picture = 0; picture < count; picture++) {
    const pitch = 0.1 / (1 + picture);
    for (let i = 0; i < length; i++) data[picture * length + i] = Math.sin(i * (pitch + i / 1e6));
  }
  return { data, dims: [count, config.num_channels, ...config.image_size] };
}
