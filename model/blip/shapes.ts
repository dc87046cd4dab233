import { type BlipConfig, tokensOfPicture } from './config.ts';

type Shapes = readonly (readonly [name: string, shape: readonly number[]])[];

/** Shapes of all tensors that are read of `BlipForImageTextRetrieval`; the projections of its contrastive heads are not. */
export function tensorShapes(config: BlipConfig): ReadonlyMap<string, readonly number[]> {
  return new Map([...visionShapes(config), ...textShapes(config)]);
}

function visionShapes(config: BlipConfig): Shapes {
  const { hidden_size: d, intermediate_size: f, num_channels: c, patch_size: p } = config.vision_config;
  const top = 'vision_model';
  const layer = (i: number): Shapes => {
    const name = `${top}.encoder.layers.${i}`;
    return [
      ...norm(`${name}.layer_norm1`, d),
      ...linear(`${name}.self_attn.qkv`, 3 * d, d),
      ...linear(`${name}.self_attn.projection`, d, d),
      ...norm(`${name}.layer_norm2`, d),
      ...linear(`${name}.mlp.fc1`, f, d),
      ...linear(`${name}.mlp.fc2`, d, f),
    ];
  };
  return [
    [`${top}.embeddings.class_embedding`, [1, 1, d]],
    [`${top}.embeddings.position_embedding`, [1, tokensOfPicture(config), d]],
    [`${top}.embeddings.patch_embedding.weight`, [d, c, p, p]],
    [`${top}.embeddings.patch_embedding.bias`, [d]],
    ...each(config.vision_config.num_hidden_layers, layer),
    ...norm(`${top}.post_layernorm`, d),
  ];
}

function textShapes({ text_config: text }: BlipConfig): Shapes {
  const { hidden_size: d, intermediate_size: f, encoder_hidden_size: e } = text;
  const attention = (name: string, keys: number): Shapes => [
    ...linear(`${name}.self.query`, d, d),
    ...linear(`${name}.self.key`, d, keys),
    ...linear(`${name}.self.value`, d, keys),
    ...linear(`${name}.output.dense`, d, d),
    ...norm(`${name}.output.LayerNorm`, d),
  ];
  const layer = (i: number): Shapes => {
    const name = `text_encoder.encoder.layer.${i}`;
    return [
      ...attention(`${name}.attention`, d),
      ...attention(`${name}.crossattention`, e),
      ...linear(`${name}.intermediate.dense`, f, d),
      ...linear(`${name}.output.dense`, d, f),
      ...norm(`${name}.output.LayerNorm`, d),
    ];
  };
  return [
    ['text_encoder.embeddings.word_embeddings.weight', [text.vocab_size, d]],
    ['text_encoder.embeddings.position_embeddings.weight', [text.max_position_embeddings, d]],
    ...norm('text_encoder.embeddings.LayerNorm', d),
    ...each(text.num_hidden_layers, layer),
    ...linear('itm_head', 2, d),
  ];
}

function linear(name: string, outputs: number, inputs: number): Shapes {
  return [
    [`${name}.weight`, [outputs, inputs]],
    [`${name}.bias`, [outputs]],
  ];
}

function norm(name: string, width: number): Shapes {
  return [
    [`${name}.weight`, [width]],
    [`${name}.bias`, [width]],
  ];
}

function each(count: number, layer: (i: number) => Shapes): Shapes {
  return Array.from({ length: count }, (_, i) => layer(i)).flat();
}
