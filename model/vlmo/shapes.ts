import { patchGrid, type VlmoConfig } from './config.ts';
import { ITC_HEADS, ITC_VL_HEADS } from './heads.ts';
import { tableRows } from './relative-position.ts';

/** What a model has beside its sizes: which tensors come with it. */
export interface VlmoParts {
  readonly patchBias: boolean;
  readonly positionEmbedding: boolean;
  readonly relativeTable: boolean;
  readonly layerScale: boolean;
  readonly pooler: boolean;
  readonly itc: boolean;
  readonly itcVl: boolean;
  readonly itm: boolean;
}

export type Sizes = Omit<VlmoConfig, 'model_type' | 'variant' | 'dtype' | 'weights_sha256'>;

/** The parts of a model, by which of their tensors are there. */
export function findParts(has: (name: string) => boolean): VlmoParts {
  return {
    patchBias: has('transformer.patch_embed.proj.bias'),
    positionEmbedding: has('transformer.pos_embed'),
    relativeTable: has('relative_position_bias_table'),
    layerScale: has('transformer.blocks.0.gamma_1'),
    pooler: has('pooler.dense.weight'),
    itc: has(`${ITC_HEADS.image}.weight`) && has(`${ITC_HEADS.text}.weight`),
    itcVl: has(`${ITC_VL_HEADS.image}.weight`) && has(`${ITC_VL_HEADS.text}.weight`),
    itm: has('itm_score.fc.weight'),
  };
}

/** Name and shape of every tensor of a model with these sizes and parts, in the order of the forward pass. */
export function tensorShapes(sizes: Sizes, parts: VlmoParts): Map<string, readonly number[]> {
  const { hidden_size: d, intermediate_size: f, num_channels: channels, patch_size: patch } = sizes;
  const [gridHeight, gridWidth] = patchGrid(sizes);
  const shapes = new Map<string, readonly number[]>();
  const add = (when: boolean, name: string, ...shape: number[]): void => {
    if (when) shapes.set(name, shape);
  };
  const norm = (name: string): void => {
    add(true, `${name}.weight`, d);
    add(true, `${name}.bias`, d);
  };
  add(true, 'transformer.cls_token', 1, 1, d);
  add(parts.positionEmbedding, 'transformer.pos_embed', 1, gridHeight * gridWidth + 1, d);
  add(true, 'transformer.patch_embed.proj.weight', d, channels, ...patch);
  add(parts.patchBias, 'transformer.patch_embed.proj.bias', d);
  add(true, 'text_embeddings.word_embeddings.weight', sizes.vocab_size, d);
  add(!parts.relativeTable, 'text_embeddings.position_embeddings.weight', sizes.max_text_length, d);
  add(true, 'text_embeddings.token_type_embeddings.weight', 2, d);
  norm('text_embeddings.LayerNorm');
  add(true, 'token_type_embeddings.weight', 2, d);
  const heads = sizes.num_attention_heads * sizes.num_hidden_layers;
  add(parts.relativeTable, 'relative_position_bias_table', tableRows([gridHeight, gridWidth]), heads);
  for (let i = 0; i < sizes.num_hidden_layers; i++) {
    const block = `transformer.blocks.${i}`;
    add(parts.layerScale, `${block}.gamma_1`, d);
    add(parts.layerScale, `${block}.gamma_2`, d);
    norm(`${block}.norm1`);
    add(true, `${block}.attn.q_bias`, d);
    add(true, `${block}.attn.v_bias`, d);
    add(true, `${block}.attn.qkv.weight`, 3 * d, d);
    add(true, `${block}.attn.proj.weight`, d, d);
    add(true, `${block}.attn.proj.bias`, d);
    for (const expert of i < sizes.vlffn_start ? ['text', 'imag'] : ['text', 'imag', 'vl']) {
      norm(`${block}.norm2_${expert}`);
      add(true, `${block}.mlp_${expert}.fc1.weight`, f, d);
      add(true, `${block}.mlp_${expert}.fc1.bias`, f);
      add(true, `${block}.mlp_${expert}.fc2.weight`, d, f);
      add(true, `${block}.mlp_${expert}.fc2.bias`, d);
    }
  }
  norm('transformer.norm');
  add(parts.pooler, 'pooler.dense.weight', d, d);
  add(parts.pooler, 'pooler.dense.bias', d);
  add(parts.itm, 'itm_score.fc.weight', 2, d);
  add(parts.itm, 'itm_score.fc.bias', 2);
  for (const word of ['image', 'text']) {
    add(parts.itc, `itc_${word}_proj.fc.weight`, d, d);
    add(parts.itcVl, `itc_vl_${word}_proj.fc.weight`, d, d);
  }
  add(parts.itc, 'logit_scale');
  add(parts.itcVl, 'logit_vl_scale');
  return shapes;
}
