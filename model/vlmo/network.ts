import { VlmoError } from '#errors.ts';
import {
  type Attribute,
  type Dimension,
  ELEMENT_TYPES,
  type Graph,
  GraphBuilder,
  type GraphValue,
  type Value,
} from '#onnx/graph.ts';
import type { PictureSpec } from '#pictures/picture-spec.ts';
import type { Precision } from '../precision.ts';
import type { Weights } from '../weights.ts';
import { patchGrid, type VlmoConfig } from './config.ts';
import { ITC_HEADS, ITC_VL_HEADS } from './heads.ts';
import { fusionIndex, imageIndex, type PositionIndex, textIndex, withPadding } from './relative-position.ts';

/**
 * VLMo as an ONNX graph (arXiv 2111.02358), in reading order. B batch, L patches, T text tokens, N tokens of either
 * kind, D width, H heads, n = B N. Between attentions the tokens of a batch are rows [n, D], which is what Gemm reads;
 * the values named after the checkpoint's modules are views [B, N, ·] of them, computed only when asked for.
 */

export type GraphKind = 'image' | 'text' | 'fusion';
type Expert = 'imag' | 'text' | 'vl';

/** Tokens as rows [n, D], with the number N of tokens of each item as an int64 value [1]. */
interface Tokens {
  readonly rows: Value;
  readonly count: Value;
  /** Still to be added to the rows. */
  readonly added?: Branch | undefined;
}

/** What a branch of a block adds to its tokens: rows [n, D], and a bias [D] for each of them. */
interface Branch {
  readonly rows: Value;
  readonly bias: Value | null;
}

/** What is added to the attention scores of a layer: [1 or B, 1 or H, N, N]. */
type LayerBias = (layer: number) => Value | null;

/** The feed-forward layer of a block, for all tokens or for [CLS] alone. */
type FeedForward = (y: Tokens, layer: number, isCls: boolean) => Branch;

const BLOCK_EPSILON = 1e-6;
const TEXT_EPSILON = 1e-12;
/** Added to the scores of hidden keys: exp of it is 0 in float32, and float16 can still hold it. */
const HIDDEN = -1e4;
const WIDE = 'float32';
type FloatType = typeof WIDE | 'float16';
/** The attention of CUDA in 16 bits reads tokens by so many at a time; other counts take a slower way. */
export const TOKENS_AT_ONCE = 8;
/** As the end of a slice: all the rest. */
const REST = 2 ** 31 - 1;

/** How a graph computes and is fed. */
export interface GraphForm {
  /** Of the blocks; the texts' embeddings, the last norm and the heads are in 32 bits always. Default f32. */
  readonly precision?: Precision | undefined;
  /** Pictures come as samples of 8 bits, to be normalised by it; else normalised already. */
  readonly samples?: Pick<PictureSpec, 'mean' | 'std'> | undefined;
}

/** The graph of one kind that computes these values, by name. Throws MODEL_OUTPUT_UNKNOWN. */
export function buildGraph(
  kind: GraphKind,
  config: VlmoConfig,
  weights: Weights,
  outputs: readonly string[],
  form: GraphForm = {},
): Graph {
  const network = new Network(config, weights, form);
  network[kind]();
  return network.finish(outputs);
}

class Network {
  readonly #graph = new GraphBuilder();
  readonly #config: VlmoConfig;
  readonly #weights: Weights;
  readonly #outputs = new Map<string, GraphValue>();
  /** Weights in another type than they are stored in. */
  readonly #converted = new Map<string, Value>();
  /** Rows of tokens to which something was added, as the norm of this name has summed them. */
  readonly #sums = new WeakMap<
    Tokens,
    { readonly name: string; readonly normed: Value; readonly sum: Value }
  >();
  readonly #form: GraphForm;
  /** What the blocks compute in. */
  readonly #type: FloatType;
  readonly #isHalf: boolean;
  /** Before the names of modules that run a second time: `itc_vl.` through the vl experts, `cls.` for [CLS] alone. */
  #prefix = '';

  constructor(config: VlmoConfig, weights: Weights, form: GraphForm) {
    this.#config = config;
    this.#weights = weights;
    this.#form = form;
    this.#isHalf = form.precision === 'f16';
    this.#type = this.#isHalf ? 'float16' : 'float32';
  }

  finish(outputs: readonly string[]): Graph {
    const values = outputs.map((name) => {
      const value = this.#outputs.get(name);
      if (value) return value;
      const known = [...this.#outputs.keys()].join(', ');
      throw new VlmoError('MODEL_OUTPUT_UNKNOWN', `Cannot fetch "${name}": expected one of ${known}`);
    });
    return this.#graph.finish(values);
  }

  /** Pictures to retrieval vectors. */
  image(): void {
    const table = this.positionBias(() => imageIndex(patchGrid(this.#config)), true);
    this.dualEncoder(this.imageTokens(), 'imag', 'image', table ?? (() => null));
  }

  /** Token ids to retrieval vectors. */
  text(): void {
    const { tokens, mask } = this.textTokens();
    const table = this.positionBias(
      () => textIndex(this.#config.max_text_length, patchGrid(this.#config)),
      false,
    );
    const bias = this.masked(mask, table && ((i) => this.keepText(table(i), tokens.count)));
    this.dualEncoder(tokens, 'text', 'text', bias);
  }

  /**
   * Picture and text together, text first: below vlffn_start each with its own expert, then all with vl. One picture
   * goes with each of several texts, and one text with each of several pictures: what is one is embedded once.
   */
  fusion(): void {
    const { max_text_length: longest, vlffn_start: vlStart } = this.#config;
    const { tokens: text, mask } = this.textTokens(); // [B or 1, T, D]
    const image = this.imageTokens(); // [B or 1, L + 1, D]
    const batch = this.op('Max', [this.dim(this.view(text), 0), this.dim(this.view(image), 0)]);
    const x = this.join(this.repeated(text, batch), this.repeated(image, batch)); // T + L + 1 tokens
    const table = this.positionBias(() => fusionIndex(longest, patchGrid(this.#config)), true);
    const seen = this.op('Expand', [this.float(1), this.concat(this.dim(mask, 0), image.count)]); // [B or 1, L + 1]
    const shown = this.op('Concat', [mask, seen], { axis: 1 }); // [B or 1, T + L + 1]
    const bias = this.masked(shown, table && ((i) => this.keepTextAndImage(table(i), text.count)));
    const cls = this.encode(x, 0, bias, (y, i, isCls) => {
      if (i >= vlStart) return this.ffn(y, i, 'vl');
      return isCls ? this.ffn(y, i, 'text') : this.split(y, i, text.count);
    }); // [B, D]
    if (!this.has('pooler.dense.weight')) return;
    const pooled = this.op('Tanh', [this.linear(cls, 'pooler.dense', WIDE)]); // [B, D]
    this.expose('fusion_cls', pooled, ['B', this.#config.hidden_size]);
    if (this.has('itm_score.fc.weight'))
      this.expose('itm_logits', this.linear(pooled, 'itm_score.fc', WIDE), ['B', 2]);
  }

  /** visualEmbed: [cls; patches] + position, with a mask of ones; then + modality type. L + 1 tokens. */
  imageTokens(): Tokens {
    const { num_channels: channels, image_size: imageSize, hidden_size: width } = this.#config;
    const [gridHeight, gridWidth] = patchGrid(this.#config);
    const length = gridHeight * gridWidth + 1;
    const { samples } = this.#form;
    const shape = ['B_image', channels, ...imageSize];
    const pixels = this.#graph.input('pixel_values', samples ? 'uint8' : 'float32', shape); // [B, C, H, W]
    const values = samples ? this.normalised(pixels, samples) : pixels;
    const sequence = this.#isHalf ? this.patchProducts(this.narrow(values)) : this.patchEmbed(values); // [B, L, D]
    const clsShape = this.concat(this.dim(pixels, 0), this.ints(1, width));
    const cls = this.op('Expand', [this.weight('transformer.cls_token'), clsShape]); // [B, 1, D]
    let visual = this.op('Concat', [cls, sequence], { axis: 1 }); // [B, L + 1, D]
    if (this.has('transformer.pos_embed'))
      visual = this.op('Add', [visual, this.weight('transformer.pos_embed')]);
    this.expose('visual_embed', visual, ['B', length, width]);
    this.expose('visual_mask', this.ones(visual), ['B', length]);
    const typed = this.op('Add', [visual, this.weightRows('token_type_embeddings.weight', 1, 2)]); // [B, L + 1, D]
    if (this.#padding === 0) return this.flatten(typed, this.ints(length));
    const added = this.concat(this.dim(pixels, 0), this.ints(this.#padding, width));
    const padding = this.op('Expand', [this.narrow(this.float(0)), added]);
    const padded = this.op('Concat', [typed, padding], { axis: 1 }); // [B, L + 1 + padding, D]
    return this.flatten(padded, this.ints(length + this.#padding));
  }

  /** Tokens behind those of a picture, hidden by the bias, so that there are whole groups. */
  get #padding(): number {
    const [gridHeight, gridWidth] = patchGrid(this.#config);
    const length = gridHeight * gridWidth + 1;
    const hasBias = this.has('relative_position_bias_table');
    return this.#isHalf && hasBias ? (TOKENS_AT_ONCE - (length % TOKENS_AT_ONCE)) % TOKENS_AT_ONCE : 0;
  }

  /**
   * (v / 255 - mean) / std of samples v of 8 bits, as (v - 255 mean) / (255 std): for the usual 0.5 the difference is
   * exact, and the quotient rounded once, as in `normalise`.
   */
  normalised(pixels: Value, { mean, std }: Pick<PictureSpec, 'mean' | 'std'>): Value {
    const byChannel = (name: string, values: readonly number[]): Value =>
      this.#graph.constant({
        ...{ name, type: 'float32', dims: [values.length, 1, 1] },
        data: new Uint8Array(Float32Array.from(values, (value) => 255 * value).buffer),
      });
    const wide = this.op('Cast', [pixels], { to: ELEMENT_TYPES.float32 });
    return this.op('Div', [this.op('Sub', [wide, byChannel('mean', mean)]), byChannel('std', std)]);
  }

  /** One convolution whose kernel and stride are the patch: [B, C, H, W] -> [B, D, H/Ph, W/Pw] -> [B, L, D]. */
  patchEmbed(pixels: Value): Value {
    const name = 'transformer.patch_embed.proj';
    const { patch_size: patch, hidden_size: width } = this.#config;
    const bias = this.has(`${name}.bias`) ? this.weight(`${name}.bias`) : null;
    const patches = this.op('Conv', [pixels, this.weight(`${name}.weight`), bias], {
      kernel_shape: patch,
      strides: patch,
    });
    this.expose(name, patches, ['B', width, ...patchGrid(this.#config)]);
    const flat = this.reshape(patches, this.ints(0, width, -1)); // [B, D, L]
    return this.op('Transpose', [flat], { perm: [0, 2, 1] }); // [B, L, D]
  }

  /**
   * The same as products of patches, [B, C, H, W] -> [B, L, D]: cuDNN would try all its convolutions anew for each size of
   * a batch.
   */
  patchProducts(pixels: Value): Value {
    const name = 'transformer.patch_embed.proj';
    const { num_channels: channels, patch_size: patch, hidden_size: width } = this.#config;
    const [gridHeight, gridWidth] = patchGrid(this.#config);
    const [height, side] = patch;
    // What the patches leave over at the edges.
    const rows = this.slice(pixels, 0, gridHeight * height, 2);
    const whole = this.slice(rows, 0, gridWidth * side, 3);
    const apart = this.reshape(whole, this.ints(-1, channels, gridHeight, height, gridWidth, side));
    const patches = this.op('Transpose', [apart], { perm: [0, 2, 4, 1, 3, 5] }); // [B, H/Ph, W/Pw, C, Ph, Pw]
    const values = channels * height * side;
    const weight = this.reshape(this.weight(`${name}.weight`), this.ints(width, values));
    const bias = this.has(`${name}.bias`) ? this.weight(`${name}.bias`) : null;
    const products = this.gemm(this.reshape(patches, this.ints(-1, values)), weight, bias); // [B L, D]
    return this.reshape(products, this.ints(-1, gridHeight * gridWidth, width));
  }

  /** LayerNorm(word + type (+ position)) + modality type, and 1 for every id that is not padding (0): [B, T]. */
  textTokens(): { tokens: Tokens; mask: Value } {
    const ids = this.#graph.input('input_ids', 'int32', ['B_text', 'T']); // [B, T]
    const count = this.dim(ids, 1);
    const words = this.op('Gather', [this.weight('text_embeddings.word_embeddings.weight', WIDE), ids]); // [B, T, D]
    this.exposeTokens('text_embeddings.word_embeddings', this.flatten(words, count));
    const kind = this.weightRows('text_embeddings.token_type_embeddings.weight', 0, 1, WIDE);
    let sum = this.op('Add', [words, kind]);
    if (!this.has('relative_position_bias_table')) {
      const positions = this.weight('text_embeddings.position_embeddings.weight', WIDE); // [longest, D]
      sum = this.op('Add', [sum, this.slice(positions, 0, count, 0)]);
    }
    const normed = this.layerNorm(this.flatten(sum, count), 'text_embeddings.LayerNorm', WIDE, TEXT_EPSILON);
    const typed = this.op('Add', [normed.rows, this.weightRows('token_type_embeddings.weight', 0, 1, WIDE)]); // [n, D]
    const isPadding = this.op('Equal', [ids, this.ints32(0)]);
    const mask = this.op('Cast', [this.op('Not', [isPadding])], { to: 1 }); // [B, T]
    return { tokens: { rows: this.narrow(typed), count }, mask };
  }

  /** All blocks with one expert and the ITC head; from vlffn_start on also the branch through the vl experts. */
  dualEncoder(tokens: Tokens, expert: Expert, word: 'image' | 'text', bias: LayerBias): void {
    const { num_hidden_layers: layers, vlffn_start: vlStart } = this.#config;
    const hasBranch = this.has(`${ITC_VL_HEADS[word]}.weight`) && vlStart < layers;
    const shared = hasBranch ? vlStart : 0;
    let x = tokens;
    for (let i = 0; i < shared; i++) x = this.block(x, x, i, bias, (y) => this.ffn(y, i, expert));
    const cls = this.encode(x, shared, bias, (y, i) => this.ffn(y, i, expert));
    this.contrastiveHead(cls, ITC_HEADS[word], `${word}_embedding`);
    if (!hasBranch) return;
    this.#prefix = 'itc_vl.';
    const vlCls = this.encode(x, shared, bias, (y, i) => this.ffn(y, i, 'vl'));
    this.#prefix = '';
    this.contrastiveHead(vlCls, ITC_VL_HEADS[word], `${word}_vl_embedding`);
  }

  /**
   * The blocks from `first` on, and the norm: [n, D] -> [CLS] [B, D]. Of the last block nothing is used but [CLS], so
   * only its query and its feed-forward are computed there, named `cls.…`; the whole of that block remains for those
   * who ask for its values.
   */
  encode(tokens: Tokens, first: number, bias: LayerBias, feed: FeedForward): Value {
    const last = this.#config.num_hidden_layers - 1;
    let x = tokens;
    for (let i = first; i < last; i++) x = this.block(x, x, i, bias, (y) => feed(y, i, false));
    this.lastNorm(this.block(x, x, last, bias, (y) => feed(y, last, false)));
    const prefix = this.#prefix;
    this.#prefix = `${prefix}cls.`;
    const cls = this.block(this.firstToken(x), x, last, bias, (y) => feed(y, last, true)); // [B, D]
    const normed = this.lastNorm(cls);
    this.#prefix = prefix;
    return normed.rows;
  }

  /** What the heads read, in 32 bits. */
  lastNorm(x: Tokens): Tokens {
    return this.layerNorm({ rows: this.wide(this.summed(x)), count: x.count }, 'transformer.norm', WIDE);
  }

  /** v = W [CLS], to unit length: [B, D]. */
  contrastiveHead(cls: Value, head: string, name: string): void {
    if (!this.has(`${head}.weight`)) return;
    const unit = this.op('LpNormalization', [this.linear(cls, head, WIDE)], { axis: -1, p: 2 });
    this.expose(name, unit, ['B', this.#config.hidden_size]);
  }

  /**
   * x = x + gamma_1 Attention(norm1(x)); x = x + gamma_2 FFN_k(norm2_k(x)): [n, D] -> [n, D], for the tokens `x` out of
   * `all` that it is computed for; the attention goes to all of them.
   */
  block(x: Tokens, all: Tokens, i: number, bias: LayerBias, ffn: (y: Tokens) => Branch): Tokens {
    const name = `transformer.blocks.${i}`;
    const keys = this.layerNorm(all, `${name}.norm1`);
    const middle = this.plus(x, this.attention(x === all ? keys : this.firstToken(keys), keys, i, bias));
    return this.exposeTokens(name, this.plus(middle, ffn(middle)));
  }

  /** x and a branch of it; with blocks of 16 bits the norm that follows adds them, so that rows are read once less. */
  plus(x: Tokens, branch: Branch): Tokens {
    const { count } = x;
    const rows = this.summed(x);
    return this.#isHalf
      ? { rows, count, added: branch }
      : { rows: this.op('Add', [rows, branch.rows]), count };
  }

  /** The rows of tokens with what is added to them. */
  summed(x: Tokens): Value {
    if (!x.added) return x.rows;
    return this.#sums.get(x)?.sum ?? this.op('Add', [x.rows, this.closed(x.added)]);
  }

  closed({ rows, bias }: Branch): Value {
    return bias ? this.op('Add', [rows, bias]) : rows;
  }

  /**
   * The last layer of a branch, and its layer scale. With blocks of 16 bits the scale is multiplied into the weights when
   * the session is made; `shift` [I] is what the tokens still lack.
   */
  branch(x: Tokens, name: string, gamma: string, shift?: Value): Branch {
    if (!this.#isHalf) return { rows: this.scaled(this.module(x, name).rows, gamma), bias: null };
    const weight = this.weight(`${name}.weight`, WIDE); // [D, I]
    const own = this.has(`${name}.bias`) ? this.weight(`${name}.bias`, WIDE) : null;
    const moved = shift ? this.op('MatMul', [weight, shift]) : null;
    const bias = own && moved ? this.op('Add', [own, moved]) : (own ?? moved);
    if (!this.has(gamma))
      return { rows: this.gemm(x.rows, this.narrow(weight), null), bias: bias && this.narrow(bias) };
    const scale = this.weight(gamma, WIDE);
    const column = this.op('Unsqueeze', [scale, this.ints(1)]); // [D, 1]
    const scaledWeight = this.narrow(this.op('Mul', [weight, column]));
    return {
      rows: this.gemm(x.rows, scaledWeight, null),
      bias: bias && this.narrow(this.op('Mul', [bias, scale])),
    };
  }

  /** proj(softmax(q kᵀ / sqrt(D/H) + bias) v), shared by all modalities: q from `x` [n, D], k and v from `all`. */
  attention(x: Tokens, all: Tokens, i: number, bias: LayerBias): Branch {
    const name = `transformer.blocks.${i}.attn`;
    const width = this.#config.hidden_size;
    // qkv.weight stacks q, k, v as [3D, D]: each third is read in place. The keys have no bias.
    const third = (k: number): Value => this.weightRows(`${name}.qkv.weight`, k * width, (k + 1) * width); // [D, D]
    const q = this.gemm(x.rows, third(0), this.weight(`${name}.q_bias`)); // [n, D]
    const k = this.gemm(all.rows, third(1), null);
    // Attention is a mean of values: their bias goes through it, and in 16 bits into that of what follows.
    const shift = this.#isHalf ? this.weight(`${name}.v_bias`, WIDE) : undefined;
    const v = this.gemm(all.rows, third(2), shift ? null : this.weight(`${name}.v_bias`));
    if (x === all)
      this.exposeTokens(
        `${name}.qkv`,
        { rows: this.op('Concat', [q, k, v], { axis: 1 }), count: x.count },
        3 * width,
      );
    const [k3, v3] = [k, v].map((rows) => this.view({ rows, count: all.count })); // each [B, N, D]
    const added = bias(i);
    // [CLS] is the first query: the first row of the bias.
    const scores = added && x !== all ? this.slice(added, 0, 1, 2) : added;
    const inputs = [this.view({ rows: q, count: x.count }), k3, v3, null, null, scores];
    const heads = { num_heads: this.#config.num_attention_heads };
    const mixed = this.op('MultiHeadAttention', inputs, heads, 'com.microsoft'); // [B, N or 1, D]
    const gamma = `transformer.blocks.${i}.gamma_1`;
    return this.branch(this.flatten(mixed, x.count), `${name}.proj`, gamma, shift);
  }

  /** fc2(gelu(fc1(norm2(x)))) of one expert, the GELU exact (erf): [n, D] -> [n, 4D] -> [n, D]. */
  ffn(x: Tokens, i: number, expert: Expert): Branch {
    const name = `transformer.blocks.${i}`;
    const normed = this.layerNorm(x, `${name}.norm2_${expert}`);
    const activated = { rows: this.activated(normed, `${name}.mlp_${expert}.fc1`), count: x.count };
    return this.branch(activated, `${name}.mlp_${expert}.fc2`, `${name}.gamma_2`);
  }

  /** gelu(fc1(x)); with blocks of 16 bits the bias goes along with the GELU. */
  activated(x: Tokens, name: string): Value {
    if (!this.#isHalf || !this.has(`${name}.bias`)) return this.op('Gelu', [this.module(x, name).rows]);
    const products = this.gemm(x.rows, this.weight(`${name}.weight`), null);
    return this.op('BiasGelu', [products, this.weight(`${name}.bias`)], {}, 'com.microsoft');
  }

  /** The first T tokens through the text expert, the rest through the image expert. */
  split(x: Tokens, i: number, textCount: Value): Branch {
    const all = this.view(x);
    const imageCount = this.op('Sub', [x.count, textCount]);
    const text = this.flatten(this.slice(all, 0, textCount, 1), textCount);
    const image = this.flatten(this.slice(all, textCount, REST, 1), imageCount);
    const [first, second] = [this.ffn(text, i, 'text'), this.ffn(image, i, 'imag')].map((part) =>
      this.closed(part),
    ) as [Value, Value];
    const joint = this.join({ rows: first, count: textCount }, { rows: second, count: imageCount });
    return { rows: joint.rows, bias: null };
  }

  /** The tokens of a batch of one for each item of a batch; those of a whole batch stay what they are. */
  repeated(x: Tokens, batch: Value): Tokens {
    const shape = this.concat(batch, this.ints(1, 1));
    return this.flatten(this.op('Expand', [this.view(x), shape]), x.count); // [B, N, D]
  }

  join(first: Tokens, second: Tokens): Tokens {
    const joint = this.op('Concat', [this.view(first), this.view(second)], { axis: 1 });
    return this.flatten(joint, this.op('Add', [first.count, second.count]));
  }

  /** The learned bias of a layer's heads by token pair [1, H, N, N]; undefined for a model without the table. */
  positionBias(index: () => PositionIndex, hasPicture: boolean): ((layer: number) => Value) | undefined {
    if (!this.has('relative_position_bias_table')) return undefined;
    const { num_attention_heads: heads } = this.#config;
    const stored = this.weight('relative_position_bias_table'); // [R, H layers]
    const [rowCount = 0, columns = 0] = this.#shape('relative_position_bias_table');
    const padding = hasPicture ? this.#padding : 0;
    const { rows, size } = padding > 0 ? withPadding(index(), padding, rowCount) : index();
    const data = new Uint8Array(rows.buffer);
    const places = this.#graph.constant({
      name: 'relative_position_index',
      type: 'int32',
      dims: [size, size],
      data,
    });
    const hidden = this.op('Expand', [this.narrow(this.float(HIDDEN)), this.ints(1, columns)]);
    const table = padding > 0 ? this.op('Concat', [stored, hidden], { axis: 0 }) : stored; // [R or R + 1, H layers]
    return once((i) => {
      const layer = this.slice(table, i * heads, (i + 1) * heads, 1); // [R, H]
      const byHead = this.op('Transpose', [this.op('Gather', [layer, places])], { perm: [2, 0, 1] }); // [H, N, N]
      return this.op('Unsqueeze', [byHead, this.ints(0)]); // [1, H, N, N]
    });
  }

  /** The first T rows and columns of a bias made for the longest text: [1, H, T, T]. */
  keepText(bias: Value, count: Value): Value {
    return this.slice(this.slice(bias, 0, count, 2), 0, count, 3);
  }

  /** The rows and columns of T text tokens and of all picture tokens, of a bias made for the longest text. */
  keepTextAndImage(bias: Value, count: Value): Value {
    const { max_text_length: longest } = this.#config;
    const keep = (value: Value, axis: number): Value =>
      this.op('Concat', [this.slice(value, 0, count, axis), this.slice(value, longest, REST, axis)], {
        axis,
      });
    return keep(keep(bias, 2), 3);
  }

  /** A bias that hides padded keys too; the mask [B, N] is 1 for tokens to be seen. */
  masked(mask: Value, table: ((layer: number) => Value) | undefined): LayerBias {
    const hidden = this.op('Mul', [this.op('Sub', [this.float(1), mask]), this.float(HIDDEN)]); // [B, N]
    const keys = this.narrow(this.op('Unsqueeze', [hidden, this.ints(1, 2)])); // [B, 1, 1, N]
    if (table) return once((i) => this.op('Add', [table(i), keys])); // [B, H, N, N]
    const shape = this.concat(this.dim(mask, 0), this.ints(1), this.dim(mask, 1), this.dim(mask, 1));
    const everyLayer = this.op('Expand', [keys, shape]); // [B, 1, N, N]
    return () => everyLayer;
  }

  /** Every provider sums in 32 bits here, whatever it is given. */
  layerNorm(x: Tokens, name: string, type: FloatType = this.#type, epsilon = BLOCK_EPSILON): Tokens {
    if (x.added) {
      const known = this.#sums.get(x);
      if (known?.name === name) return { rows: known.normed, count: x.count };
      const parts = [this.weight(`${name}.weight`), this.weight(`${name}.bias`), x.added.bias];
      const { normed, sum } = this.#graph.skipLayerNorm([x.rows, x.added.rows, ...parts], epsilon);
      this.#sums.set(x, { name, normed, sum });
      return { rows: normed, count: x.count };
    }
    const inputs = [this.summed(x), this.weight(`${name}.weight`, type), this.weight(`${name}.bias`, type)];
    const rows = this.op('LayerNormalization', inputs, { axis: -1, epsilon: { float: epsilon } });
    return this.exposeTokens(name, { rows, count: x.count });
  }

  /** A linear layer of the checkpoint on tokens: [n, I] -> [n, O]. */
  module(x: Tokens, name: string): Tokens {
    return this.exposeTokens(
      name,
      { rows: this.linear(x.rows, name), count: x.count },
      this.#shape(`${name}.weight`)[0],
    );
  }

  linear(rows: Value, name: string, type: FloatType = this.#type): Value {
    return this.gemm(
      rows,
      this.weight(`${name}.weight`, type),
      this.has(`${name}.bias`) ? this.weight(`${name}.bias`, type) : null,
    );
  }

  /** y = x Wᵀ + b. Weights keep PyTorch's [O, I] layout, which Gemm reads as it is: nothing is copied. */
  gemm(rows: Value, weight: Value, bias: Value | null): Value {
    return this.op('Gemm', bias ? [rows, weight, bias] : [rows, weight], { transB: 1 });
  }

  /** Layer scale, where the checkpoint has one. */
  scaled(rows: Value, gamma: string): Value {
    return this.has(gamma) ? this.op('Mul', [rows, this.weight(gamma)]) : rows;
  }

  /** [CLS] of every item, one token each: [n, D] -> [B, D]. */
  firstToken(x: Tokens): Tokens {
    const { added } = x;
    const first = (rows: Value): Tokens =>
      this.flatten(this.slice(this.view({ rows, count: x.count }), 0, 1, 1), this.ints(1));
    if (!added) return first(x.rows);
    return { ...first(x.rows), added: { rows: first(added.rows).rows, bias: added.bias } };
  }

  /** Ones for every token of [B, N, D]: [B, N]. */
  ones(tokens: Value): Value {
    const shape = this.op('Shape', [tokens], { start: 0, end: 2 });
    return this.op('Expand', [this.float(1), shape]);
  }

  /** Rows [n, width] as [B, N, width]. */
  view(x: Tokens, width = this.#config.hidden_size): Value {
    return this.reshape(this.summed(x), this.concat(this.ints(-1), x.count, this.ints(width)));
  }

  /** [B, N, D] as rows [n, D]. */
  flatten(tokens: Value, count: Value): Tokens {
    return { rows: this.reshape(tokens, this.ints(-1, this.#config.hidden_size)), count };
  }

  /** Sizes one after the other, as one shape. */
  concat(...sizes: Value[]): Value {
    return this.op('Concat', sizes, { axis: 0 });
  }

  reshape(value: Value, shape: Value): Value {
    return this.op('Reshape', [value, shape]);
  }

  slice(value: Value, start: Value | number, end: Value | number, axis: number): Value {
    const [from, to] = [start, end].map((bound) => (typeof bound === 'number' ? this.ints(bound) : bound));
    return this.op('Slice', [value, from, to, this.ints(axis)]);
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

  ints32(value: number): Value {
    const data = new Uint8Array(Int32Array.of(value).buffer);
    return this.#graph.constant({ name: `int32.${value}`, type: 'int32', dims: [], data });
  }

  float(value: number): Value {
    const data = new Uint8Array(Float32Array.of(value).buffer);
    return this.#graph.constant({ name: `float.${value}`, type: 'float32', dims: [], data });
  }

  op(
    type: string,
    inputs: readonly (Value | null | undefined)[],
    attributes: Record<string, Attribute> = {},
    domain = '',
  ): Value {
    return this.#graph.node(type, inputs, attributes, domain);
  }

  has(name: string): boolean {
    return this.#weights.tensors.has(name);
  }

  weight(name: string, type: FloatType = this.#type): Value {
    return this.weightRows(name, 0, this.#shape(name)[0] ?? 1, type);
  }

  /** Rows [from, to) of a tensor, as a place in the file of weights; onnxruntime converts a constant once. */
  weightRows(name: string, from: number, to: number, type: FloatType = this.#type): Value {
    const rows = this.#weights.rows(name, from, to);
    const stored = this.#graph.constant(rows);
    const key = `${rows.name}.${type}`;
    const known = this.#converted.get(key);
    if (rows.type === type) return stored;
    const value = known ?? this.#graph.node('Cast', [stored], { to: ELEMENT_TYPES[type] }, '', key);
    this.#converted.set(key, value);
    return value;
  }

  /** What the blocks read, of a value in 32 bits. */
  narrow(value: Value): Value {
    return this.#type === WIDE ? value : this.op('Cast', [value], { to: ELEMENT_TYPES[this.#type] });
  }

  /** A value of the blocks in 32 bits. */
  wide(value: Value): Value {
    return this.#type === WIDE ? value : this.op('Cast', [value], { to: ELEMENT_TYPES[WIDE] });
  }

  #shape(name: string): readonly number[] {
    return this.#weights.rows(name).dims;
  }

  /** Makes a value one that can be asked for, as a view [B, N, width]. */
  exposeTokens(name: string, tokens: Tokens, width = this.#config.hidden_size): Tokens {
    this.expose(name, this.view(tokens, width), ['B', 'N', width]);
    return tokens;
  }

  expose(name: string, value: Value, dims: readonly Dimension[]): void {
    const named =
      this.#type === WIDE
        ? this.#graph.node('Identity', [value], {}, '', this.#prefix + name)
        : this.#graph.node('Cast', [value], { to: ELEMENT_TYPES[WIDE] }, '', this.#prefix + name);
    this.#outputs.set(named.name, { name: named.name, type: 'float32', dims });
  }
}

/** Remembers what was made for each layer. */
function once<T>(make: (layer: number) => T): (layer: number) => T {
  const made = new Map<number, T>();
  return (layer) => {
    const known = made.get(layer);
    if (known !== undefined) return known;
    const value = make(layer);
    made.set(layer, value);
    return value;
  };
}
