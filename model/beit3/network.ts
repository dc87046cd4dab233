import { type Attribute, ELEMENT_TYPES, type Graph, GraphBuilder, type Value } from '#onnx/graph.ts';
import type { PictureSpec } from '#pictures/picture-spec.ts';
import type { Weights } from '../weights.ts';
import { type Beit3Config, pictureTokens } from './config.ts';
import { HEADS, type Tower } from './shapes.ts';
import { PAD_ID } from './token-ids.ts';

/**
 * BEiT-3 as a dual encoder (arXiv 2208.10442), in reading order: pictures through the weights A of each layer, texts through
 * B, with a norm inside of each branch too (sub-LN). B batch, L tokens of a picture, T of a text, N of either, D width.
 */

/** Added to the scores of hidden keys: exp of it is 0. */
const HIDDEN = -1e4;
const EPSILON = 1e-5;
/** Rows of a table of places before the first: fairseq's padding. */
const OFFSET = 2;

/** Tokens as rows [B N, D], with the number N of each item as an int64 value [1]. */
interface Tokens {
  readonly rows: Value;
  readonly count: Value;
}

/** Pictures of 8 bits [B, C, H, W] to vectors of unit length [B, D]. */
export function buildPictureGraph(
  config: Beit3Config,
  weights: Weights,
  picture: Pick<PictureSpec, 'mean' | 'std'>,
): Graph {
  return new Network(config, weights).pictures(picture);
}

/** Ids of texts [B, T], padded with 1, to vectors of unit length [B, D]. */
export function buildTextGraph(config: Beit3Config, weights: Weights): Graph {
  return new Network(config, weights).texts();
}

class Network {
  readonly #graph = new GraphBuilder();
  readonly #config: Beit3Config;
  readonly #weights: Weights;

  constructor(config: Beit3Config, weights: Weights) {
    this.#config = config;
    this.#weights = weights;
  }

  /** x = [cls; patches] + place. */
  pictures({ mean, std }: Pick<PictureSpec, 'mean' | 'std'>): Graph {
    const { num_channels: channels, image_size: side, hidden_size: width } = this.#config;
    const length = pictureTokens(this.#config);
    const pixels = this.#graph.input('pixel_values', 'uint8', ['B', channels, side, side]);
    const patches = this.patches(this.normalised(pixels, mean, std)); // [B, L - 1, D]
    const clsShape = this.op('Concat', [this.dim(pixels, 0), this.ints(1, width)], { axis: 0 });
    const cls = this.op('Expand', [this.weight('beit3.vision_embed.cls_token'), clsShape]);
    const joined = this.op('Concat', [cls, patches], { axis: 1 }); // [B, L, D]
    const places = this.weight('beit3.encoder.embed_positions.A.weight', OFFSET, OFFSET + length);
    const rows = this.flatten(this.op('Add', [joined, places]));
    return this.encode({ rows, count: this.ints(length) }, 'A', null, 'image_embedding');
  }

  /** x = word + place. */
  texts(): Graph {
    const ids = this.#graph.input('input_ids', 'int32', ['B', 'T']);
    const count = this.dim(ids, 1);
    const words = this.op('Gather', [this.weight('beit3.text_embed.weight'), ids]); // [B, T, D]
    const table = this.weight('beit3.encoder.embed_positions.B.weight', OFFSET, this.#config.text_positions);
    const places = this.op('Slice', [table, this.ints(0), count, this.ints(0)]); // [T, D]
    const rows = this.flatten(this.op('Add', [words, places]));
    return this.encode({ rows, count }, 'B', this.hidden(ids, count), 'text_embedding');
  }

  /** All layers, the last norm, and the head on place 0. */
  encode(tokens: Tokens, tower: Tower, scores: Value | null, name: string): Graph {
    let { rows } = tokens;
    for (let i = 0; i < this.#config.num_hidden_layers; i++)
      rows = this.layer({ rows, count: tokens.count }, i, tower, scores);
    const first = this.op('Slice', [this.view(rows, tokens.count), this.ints(0), this.ints(1), this.ints(1)]);
    const normed = this.norm(this.flatten(first), `beit3.encoder.layer_norm.${tower}`); // [B, D]
    const head = this.op('Gemm', [normed, this.weight(`${HEADS[tower]}.weight`)], { transB: 1 });
    const unit = this.op('LpNormalization', [head], { axis: -1, p: 2 });
    const named = this.#graph.node('Identity', [unit], {}, '', name);
    return this.#graph.finish([{ name: named.name, type: 'float32', dims: ['B', this.#config.hidden_size] }]);
  }

  /** x + out(norm(attention(norm(x)))), then x + fc2(norm(gelu(fc1(norm(x))))): [B N, D]. */
  layer({ rows, count }: Tokens, i: number, tower: Tower, scores: Value | null): Value {
    const name = `beit3.encoder.layers.${i}`;
    const read = this.norm(rows, `${name}.self_attn_layer_norm.${tower}`);
    const qkv = ['q_proj', 'k_proj', 'v_proj'].map((part) =>
      this.view(this.linear(read, `${name}.self_attn.${part}.${tower}`), count),
    ); // [B, N, D] each
    const heads = { num_heads: this.#config.num_attention_heads };
    const mixed = this.#graph.node(
      'MultiHeadAttention',
      [...qkv, null, null, scores],
      heads,
      'com.microsoft',
    );
    const normed = this.norm(this.flatten(mixed), `${name}.self_attn.inner_attn_ln.${tower}`);
    const seen = this.op('Add', [rows, this.linear(normed, `${name}.self_attn.out_proj.${tower}`)]);
    const wide = this.linear(
      this.norm(seen, `${name}.final_layer_norm.${tower}`),
      `${name}.ffn.${tower}.fc1`,
    );
    const active = this.norm(this.op('Gelu', [wide]), `${name}.ffn.${tower}.ffn_layernorm`);
    return this.op('Add', [seen, this.linear(active, `${name}.ffn.${tower}.fc2`)]);
  }

  /** (v / 255 - mean) / std of samples v of 8 bits, as (v - 255 mean) / (255 std). */
  normalised(pixels: Value, mean: readonly number[], std: readonly number[]): Value {
    const byChannel = (name: string, values: readonly number[]): Value =>
      this.#graph.constant({
        ...{ name, type: 'float32', dims: [values.length, 1, 1] },
        data: new Uint8Array(Float32Array.from(values, (value) => 255 * value).buffer),
      });
    const wide = this.op('Cast', [pixels], { to: ELEMENT_TYPES.float32 });
    return this.op('Div', [this.op('Sub', [wide, byChannel('mean', mean)]), byChannel('std', std)]);
  }

  /** One convolution whose kernel and stride are the patch: [B, C, H, W] -> [B, L - 1, D]. */
  patches(pixels: Value): Value {
    const { patch_size: patch, hidden_size: width } = this.#config;
    const name = 'beit3.vision_embed.proj';
    const inputs = [pixels, this.weight(`${name}.weight`), this.weight(`${name}.bias`)];
    const found = this.op('Conv', inputs, { kernel_shape: [patch, patch], strides: [patch, patch] });
    return this.op('Transpose', [this.reshape(found, this.ints(0, width, -1))], { perm: [0, 2, 1] });
  }

  /** What hides the padding from all places: [B, 1, T, T]. */
  hidden(ids: Value, count: Value): Value {
    const padding = this.#graph.constant({
      ...{ name: 'padding', type: 'int32', dims: [] },
      data: new Uint8Array(Int32Array.of(PAD_ID).buffer),
    });
    const low = this.#graph.constant({
      ...{ name: 'hidden', type: 'float32', dims: [] },
      data: new Uint8Array(Float32Array.of(HIDDEN).buffer),
    });
    const isPadding = this.op('Cast', [this.op('Equal', [ids, padding])], { to: ELEMENT_TYPES.float32 });
    const scores = this.op('Unsqueeze', [this.op('Mul', [isPadding, low]), this.ints(1, 2)]);
    const shape = this.op('Concat', [this.dim(ids, 0), this.ints(1), count, count], { axis: 0 });
    return this.op('Expand', [scores, shape]);
  }

  view(rows: Value, count: Value): Value {
    const shape = this.op('Concat', [this.ints(-1), count, this.ints(this.#config.hidden_size)], { axis: 0 });
    return this.reshape(rows, shape);
  }

  flatten(tokens: Value): Value {
    return this.reshape(tokens, this.ints(-1, this.#config.hidden_size));
  }

  norm(rows: Value, name: string): Value {
    const inputs = [rows, this.weight(`${name}.weight`), this.weight(`${name}.bias`)];
    return this.op('LayerNormalization', inputs, { axis: -1, epsilon: { float: EPSILON } });
  }

  /** y = x Wᵀ + b. Weights keep PyTorch's [O, I] layout, which Gemm reads as it is: nothing is copied. */
  linear(rows: Value, name: string): Value {
    const inputs = [rows, this.weight(`${name}.weight`), this.weight(`${name}.bias`)];
    return this.op('Gemm', inputs, { transB: 1 });
  }

  reshape(value: Value, shape: Value): Value {
    return this.op('Reshape', [value, shape]);
  }

  /** Size of one axis, as an int64 value [1]. */
  dim(value: Value, axis: number): Value {
    return this.op('Shape', [value], { start: axis, end: axis + 1 });
  }

  ints(...values: number[]): Value {
    const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    const dims = [values.length];
    return this.#graph.constant({ name: `ints.${values.join('.')}`, type: 'int64', dims, data });
  }

  /** Rows [from, to) of a tensor, all of them when left out, as a place in the file of weights. */
  weight(name: string, from?: number, to?: number): Value {
    return this.#graph.constant(this.#weights.rows(name, from, to));
  }

  op(type: string, inputs: readonly (Value | null)[], attributes: Record<string, Attribute> = {}): Value {
    return this.#graph.node(type, inputs, attributes);
  }
}
