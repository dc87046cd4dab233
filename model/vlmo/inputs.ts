import ort from 'onnxruntime-node';
import { VlmoError } from '#errors.ts';
import type { VlmoConfig } from './config.ts';

/** Numbers with their shape, row by row. */
export interface Tensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/** Pictures of 8 bits [B, C, H, W]: the graph normalises them, and a quarter of the bytes goes to the device. */
export interface Samples {
  readonly data: Uint8Array;
  readonly dims: readonly number[];
}

/** Token ids of a batch of texts [B, T], padded with 0. */
export interface TokenBatch {
  readonly ids: Int32Array;
  readonly length: number;
}

/** What a graph is fed: pictures, texts, or both for the fusion encoder: as many of one as of the other, or one. */
export interface ModelInputs {
  readonly pixels?: Tensor | Samples;
  readonly tokens?: TokenBatch;
}

/** The tensors of a run, checked against the model. Throws MODEL_INPUT_INVALID. */
export function feedsOf(config: VlmoConfig, { pixels, tokens }: ModelInputs): Record<string, ort.Tensor> {
  const feeds: Record<string, ort.Tensor> = {};
  if (pixels) {
    checkPixels(config, pixels);
    const { data, dims } = pixels;
    feeds.pixel_values =
      data instanceof Uint8Array
        ? new ort.Tensor('uint8', data, dims)
        : new ort.Tensor('float32', data, dims);
  }
  if (tokens) {
    checkTokens(config, tokens);
    const rows = tokens.ids.length / tokens.length;
    if (pixels) checkPairs(pixels, rows);
    feeds.input_ids = new ort.Tensor('int32', tokens.ids, [rows, tokens.length]);
  }
  return feeds;
}

function checkPixels(
  { num_channels: channels, image_size: [height, width] }: VlmoConfig,
  { data, dims }: Tensor | Samples,
): void {
  const [batch = 0, c, h, w] = dims;
  const expected = `pictures of ${channels} x ${height} x ${width} (channels, height, width)`;
  if (dims.length !== 4 || c !== channels || h !== height || w !== width) {
    throw invalidInput('embed pictures', expected, dims.slice(1).join(' x '));
  }
  if (batch < 1 || data.length !== batch * channels * height * width) {
    throw invalidInput('embed pictures', `${batch} ${expected}`, `${data.length} numbers`);
  }
}

function checkTokens(config: VlmoConfig, { ids, length }: TokenBatch): void {
  if (length < 1 || length > config.max_text_length || ids.length === 0 || ids.length % length !== 0) {
    throw invalidInput(
      'embed texts',
      `rows of 1 to ${config.max_text_length} token ids`,
      `${ids.length} ids in rows of ${length}`,
    );
  }
  const wrong = ids.find((id) => id < 0 || id >= config.vocab_size);
  if (wrong !== undefined)
    throw invalidInput('embed texts', `token ids below ${config.vocab_size}`, String(wrong));
}

/** One picture goes with each of several texts, one text with each of several pictures. */
function checkPairs({ dims: [pictures = 0] }: Tensor | Samples, texts: number): void {
  if (pictures === texts || pictures === 1 || texts === 1) return;
  throw invalidInput(
    'read pictures and texts together',
    'as many of one as of the other, or one',
    `${pictures} and ${texts}`,
  );
}

export function invalidInput(action: string, expected: string, received: string): VlmoError {
  return new VlmoError('MODEL_INPUT_INVALID', `Cannot ${action}: expected ${expected}, received ${received}`);
}
