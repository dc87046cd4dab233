import { type Attribute, ELEMENT_TYPES, type Graph, GraphBuilder, type Value } from '#onnx/graph.ts';
import type { PictureSpec } from '#pictures/picture-spec.ts';
import type { Weights } from '../weights.ts';
import { type BlipConfig, tokensOfPicture } from './config.ts';

/**
 * BLIP's ITM as two ONNX graphs (arXiv 2201.12086), in reading order: a ViT that a picture goes through once, and a BERT
 * that reads a text and looks at the tokens of a picture in every layer. B batch, L tokens of a picture [CLS] included, E
 * their width; T tokens of a text, D their width, H heads of G = D / H, n = B T. Rows [n, D] are what Gemm reads.
 */

/** Added to the scores of hidden keys: exp of it is 0. */
const HIDDEN = -1e4;

/** Tokens of texts as rows [n, D], with the number T of each item as an int64 value [1]. */
interface Tokens {
  readonly rows: Value;
  readonly count: Value;
}

/** Pictures of 8 bits [B, C, H, W] to their tokens [B, L, E]. */
export function buildPictureGraph(
  config: BlipConfig,
  weights: Weights,
  picture: Pick<PictureSpec, 'mean' | 'std'>,
): Graph {
  return new Network(config, weights).pictures(picture);
}

/**
 * Tokens of pictures [B or 1, L, E] and ids of texts [B or 1, T], padded with 0, to the logits [B, 2] of belonging apart and
 * together: of the head on place 0, which is for [ENC].
 */
export function buildPairGraph(config: BlipConfig, weights: Weights): Graph {
  return new Network(config, weights).pairs();
}

class Network {
  readonly #graph = new GraphBuilder();
  readonly #config: BlipConfig;
  readonly #weights: Weights;

  constructor(config: BlipConfig, weights: Weights) {
    this.#config = config;
    this.#weights = weights;
  }

  /** x = [cls; patches] + position, then blocks and the last norm. */
  pictures({ mean, std }: Pick<PictureSpec, 'mean' | 'std'>): Graph {
    const { vision_config: vision } = this.#config;
    const { num_channels: channels, image_size: side, hidden_size: width, layer_norm_eps: epsilon } = vision;
    const length = tokensOfPicture(this.#config);
    const pixels = this.#graph.input('pixel_values', 'uint8', ['B', channels, side, side]);
    const patches = this.patches(this.normalised(pixels, mean, std)); // [B, L - 1, E]
    const clsShape = this.op('Concat', [this.dim(pixels, 0), this.ints(1, width)], { axis: 0 });
    const cls = this.op('Expand', [this.weight('vision_model.embeddings.class_embedding'), clsShape]);
    const joined = this.op('Concat', [cls, patches], { axis: 1 }); // [B, L, E]
    const placed = this.op('Add', [joined, this.weight('vision_model.embeddings.position_embedding')]);
    let x: Value = this.reshape(placed, this.ints(-1, width)); // [B L, E]
    for (let i = 0; i < vision.num_hidden_layers; i++) x = this.visionBlock(x, i, length);
    const normed = this.norm(x, 'vision_model.post_layernorm', epsilon);
    const tokens = this.reshape(normed, this.ints(-1, length, width)); // [B, L, E]
    return this.finish(tokens, 'picture_tokens', ['B', length, width]);
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

  /** One convolution whose kernel and stride are the patch: [B, C, H, W] -> [B, L - 1, E]. */
  patches(pixels: Value): Value {
    const { patch_size: patch, hidden_size: width } = this.#config.vision_config;
    const name = 'vision_model.embeddings.patch_embedding';
    const inputs = [pixels, this.weight(`${name}.weight`), this.weight(`${name}.bias`)];
    const found = this.op('Conv', inputs, { kernel_shape: [patch, patch], strides: [patch, patch] });
    return this.op('Transpose', [this.reshape(found, this.ints(0, width, -1))], { perm: [0, 2, 1] });
  }

  /** x = x + Attention(norm1(x)); x = x + MLP(norm2(x)): [B L, E] -> [B L, E]. */
  visionBlock(x: Value, i: number, length: number): Value {
    const {
      hidden_size: width,
      num_attention_heads: heads,
      layer_norm_eps: epsilon,
    } = this.#config.vision_config;
    const name = `vision_model.encoder.layers.${i}`;
    const normed = this.norm(x, `${name}.layer_norm1`, epsilon);
    // qkv stacks q, k, v as [3E, E]: each third is read in place.
    const third = (k: number): Value => {
      const part = (of: 'weight' | 'bias'): Value =>
        this.weight(`${name}.self_attn.qkv.${of}`, k * width, (k + 1) * width);
      return this.reshape(this.gemm(normed, part('weight'), part('bias')), this.ints(-1, length, width));
    };
    const mixed = this.attention([third(0), third(1), third(2)], heads); // [B, L, E]
    const flat = this.reshape(mixed, this.ints(-1, width));
    const middle = this.op('Add', [x, this.linear(flat, `${name}.self_attn.projection`)]);
    const inner = this.linear(this.norm(middle, `${name}.layer_norm2`, epsilon), `${name}.mlp.fc1`);
    return this.op('Add', [middle, this.linear(this.op('Gelu', [inner]), `${name}.mlp.fc2`)]);
  }

  pairs(): Graph {
    const { vision_config: vision, text_config: text } = this.#config;
    const length = tokensOfPicture(this.#config);
    const dims = ['B_image', length, vision.hidden_size];
    const picture = this.#graph.input('picture_tokens', 'float32', dims); // [B or 1, L, E]
    const ids = this.#graph.input('input_ids', 'int32', ['B_text', 'T']); // [B or 1, T]
    const batch = this.op('Max', [this.dim(ids, 0), this.dim(picture, 0)]); // [1]
    const keys = this.op('Transpose', [picture], { perm: [0, 2, 1] }); // [B or 1, E, L], for every layer
    const hidden = this.hidden(ids);
    let x = this.textEmbeddings(ids);
    for (let i = 0; i < text.num_hidden_layers; i++) {
      // Of the last layer nothing is used but place 0.
      const isLast = i === text.num_hidden_layers - 1;
      const own = this.selfAttention(x, i, hidden, isLast);
      // One text is the same for all pictures until it looks at them.
      const each = i === 0 ? this.repeated(own, batch) : own;
      x = this.feedForward(this.crossAttention(each, i, picture, keys, batch), i);
    }
    return this.finish(this.linear(x.rows, 'itm_head'), 'itm_logits', ['B', 2]);
  }

  /** LayerNorm(word + position): [B, T] -> [n, D]. */
  textEmbeddings(ids: Value): Tokens {
    const { layer_norm_eps: epsilon } = this.#config.text_config;
    const name = 'text_encoder.embeddings';
    const count = this.dim(ids, 1);
    const words = this.op('Gather', [this.weight(`${name}.word_embeddings.weight`), ids]); // [B, T, D]
    const positions = this.slice(this.weight(`${name}.position_embeddings.weight`), 0, count, 0); // [T, D]
    const sum = this.flatten(this.op('Add', [words, positions]));
    return { rows: this.norm(sum, `${name}.LayerNorm`, epsilon), count };
  }

  /** What hides the padding (0) from all places: [B, 1, T, T]. */
  hidden(ids: Value): Value {
    const zero = this.#graph.constant({
      ...{ name: 'int32.0', type: 'int32', dims: [] },
      data: new Uint8Array(Int32Array.of(0).buffer),
    });
    const isPadding = this.op('Cast', [this.op('Equal', [ids, zero])], { to: ELEMENT_TYPES.float32 });
    const scores = this.op('Unsqueeze', [this.op('Mul', [isPadding, this.float(HIDDEN)]), this.ints(1, 2)]);
    const count = this.dim(ids, 1);
    const shape = this.op('Concat', [this.dim(ids, 0), this.ints(1), count, count], { axis: 0 });
    return this.op('Expand', [scores, shape]);
  }

  /** norm(x + dense(Attention(x))), for all places or for place 0 alone. */
  selfAttention(x: Tokens, i: number, hidden: Value, isFirstOnly: boolean): Tokens {
    const { num_attention_heads: heads } = this.#config.text_config;
    const name = `text_encoder.encoder.layer.${i}.attention`;
    const asked = isFirstOnly ? this.firstPlace(x) : x;
    const scores = isFirstOnly ? this.slice(hidden, 0, this.ints(1), 2) : hidden;
    const side = (of: Tokens, part: string): Value =>
      this.view({ rows: this.linear(of.rows, `${name}.self.${part}`), count: of.count });
    const qkv = [side(asked, 'query'), side(x, 'key'), side(x, 'value')];
    return this.output(asked, this.flatten(this.attention(qkv, heads, scores)), name);
  }

  /**
   * norm(x + dense(CrossAttention(x, picture))). Keys and values are linear in the tokens of the picture, so what a text asks
   * goes to them, and not the L tokens of each picture to it:
   *
   *     q (W_k p + b_k) = (W_kᵀ q) p + a constant that softmax drops,   sum w (W_v p + b_v) = W_v (sum w p) + b_v
   *
   * For a text of 12 tokens and 577 of a picture that is a third of the multiplications of a layer.
   */
  crossAttention(x: Tokens, i: number, picture: Value, keys: Value, batch: Value): Tokens {
    const {
      num_attention_heads: heads,
      hidden_size: width,
      encoder_hidden_size: seen,
    } = this.#config.text_config;
    const name = `text_encoder.encoder.layer.${i}.crossattention`;
    const query = this.op('Mul', [
      this.linear(x.rows, `${name}.self.query`),
      this.float(1 / Math.sqrt(width / heads)),
    ]); // [n, D]
    const byHead = this.op('Transpose', [this.reshape(query, this.ints(-1, heads, width / heads))], {
      perm: [1, 0, 2],
    }); // [H, n, G]
    const asked = this.op('MatMul', [byHead, this.headWeights(`${name}.self.key.weight`)]); // [H, n, E]
    const byText = this.reshape(asked, this.shape(this.ints(heads, -1), x.count, this.ints(seen))); // [H, B, T, E]
    const turned = this.op('Transpose', [byText], { perm: [1, 0, 2, 3] }); // [B, H, T, E]
    const rows = this.reshape(turned, this.shape(batch, this.ints(-1, seen))); // [B, H T, E]
    const shares = this.op('Softmax', [this.op('MatMul', [rows, keys])], { axis: -1 }); // [B, H T, L]
    const met = this.op('MatMul', [shares, picture]); // [B, H T, E]
    const apart = this.reshape(met, this.shape(batch, this.ints(heads, -1, seen))); // [B, H, T, E]
    const perHead = this.reshape(
      this.op('Transpose', [apart], { perm: [1, 0, 2, 3] }),
      this.ints(heads, -1, seen),
    ); // [H, n, E]
    const values = this.#graph.node(
      'FusedMatMul',
      [perHead, this.headWeights(`${name}.self.value.weight`)],
      { transB: 1 },
      'com.microsoft',
    ); // [H, n, G]
    const joined = this.reshape(this.op('Transpose', [values], { perm: [1, 0, 2] }), this.ints(-1, width)); // [n, D]
    const mixed = this.op('Add', [joined, this.weight(`${name}.self.value.bias`)]);
    return this.output(x, mixed, name);
  }

  /** norm(x + W_2 gelu(W_1 x)): [n, D] -> [n, 4 D] -> [n, D]. */
  feedForward(x: Tokens, i: number): Tokens {
    const name = `text_encoder.encoder.layer.${i}`;
    return this.output(x, this.op('Gelu', [this.linear(x.rows, `${name}.intermediate.dense`)]), name);
  }

  /** norm(x + dense(mixed)): BERT's norms come behind its sums. */
  output(x: Tokens, mixed: Value, name: string): Tokens {
    const { layer_norm_eps: epsilon } = this.#config.text_config;
    const sum = this.op('Add', [this.linear(mixed, `${name}.output.dense`), x.rows]);
    return { rows: this.norm(sum, `${name}.output.LayerNorm`, epsilon), count: x.count };
  }

  /** softmax(q kᵀ / sqrt(G) + scores) v of [B, N, D] each. */
  attention(qkv: readonly Value[], heads: number, scores: Value | null = null): Value {
    const inputs = [...qkv, null, null, scores];
    return this.#graph.node('MultiHeadAttention', inputs, { num_heads: heads }, 'com.microsoft');
  }

  /** [D, E] as [H, G, E], read in place. */
  headWeights(name: string): Value {
    const { num_attention_heads: heads } = this.#config.text_config;
    const stored = this.#weights.rows(name);
    const [width = 0, seen = 0] = stored.dims;
    return this.#graph.constant({ ...stored, name: `${name}.heads`, dims: [heads, width / heads, seen] });
  }

  /** The tokens of one text for each picture; those of a whole batch stay what they are. */
  repeated(x: Tokens, batch: Value): Tokens {
    const shape = this.shape(batch, this.ints(1, 1));
    return { rows: this.flatten(this.op('Expand', [this.view(x), shape])), count: x.count };
  }

  firstPlace(x: Tokens): Tokens {
    return { rows: this.flatten(this.slice(this.view(x), 0, this.ints(1), 1)), count: this.ints(1) };
  }

  /** Rows [n, D] as [B, T, D]. */
  view({ rows, count }: Tokens): Value {
    return this.reshape(
      rows,
      this.shape(this.ints(-1), count, this.ints(this.#config.text_config.hidden_size)),
    );
  }

  flatten(tokens: Value): Value {
    return this.reshape(tokens, this.ints(-1, this.#config.text_config.hidden_size));
  }

  norm(rows: Value, name: string, epsilon: number): Value {
    const inputs = [rows, this.weight(`${name}.weight`), this.weight(`${name}.bias`)];
    return this.op('LayerNormalization', inputs, { axis: -1, epsilon: { float: epsilon } });
  }

  linear(rows: Value, name: string): Value {
    return this.gemm(rows, this.weight(`${name}.weight`), this.weight(`${name}.bias`));
  }

  /** y = x Wᵀ + b. Weights keep PyTorch's [O, I] layout, which Gemm reads as it is: nothing is copied. */
  gemm(rows: Value, weight: Value, bias: Value): Value {
    return this.op('Gemm', [rows, weight, bias], { transB: 1 });
  }

  slice(value: Value, start: number, end: Value, axis: number): Value {
    return this.op('Slice', [value, this.ints(start), end, this.ints(axis)]);
  }

  shape(...sizes: Value[]): Value {
    return this.op('Concat', sizes, { axis: 0 });
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
    return this.#graph.constant({
      name: `ints.${values.join('.')}`,
      type: 'int64',
      dims: [values.length],
      data,
    });
  }

  float(value: number): Value {
    const data = new Uint8Array(Float32Array.of(value).buffer);
    return this.#graph.constant({ name: `float.${value}`, type: 'float32', dims: [], data });
  }

  /** Rows [from, to) of a tensor, all of them when left out, as a place in the file of weights. */
  weight(name: string, from?: number, to?: number): Value {
    return this.#graph.constant(this.#weights.rows(name, from, to));
  }

  op(type: string, inputs: readonly (Value | null)[], attributes: Record<string, Attribute> = {}): Value {
    return this.#graph.node(type, inputs, attributes);
  }

  finish(value: Value, name: string, dims: readonly (number | string)[]): Graph {
    const named = this.#graph.node('Identity', [value], {}, '', name);
    return this.#graph.finish([{ name: named.name, type: 'float32', dims }]);
  }
}
