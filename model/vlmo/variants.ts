/** The published models (arXiv 2111.02358, section 4; release `vlmo` of github.com/wenhui0924/vlmo_ckpts). */
export const VARIANTS = {
  vlmo_base_patch16: { hidden_size: 768, num_hidden_layers: 12, num_attention_heads: 12, vlffn_start: 10 },
  vlmo_base_plus_patch16: {
    hidden_size: 544,
    num_hidden_layers: 24,
    num_attention_heads: 16,
    vlffn_start: 21,
  },
  vlmo_large_patch16: { hidden_size: 1024, num_hidden_layers: 24, num_attention_heads: 16, vlffn_start: 21 },
} as const;

interface VariantSizes {
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
}

/** The published variant of this width and depth. */
export function findVariant(
  sizes: VariantSizes,
): { readonly name: string; readonly heads: number } | undefined {
  const found = Object.entries(VARIANTS).find(
    ([, variant]) =>
      variant.hidden_size === sizes.hidden_size && variant.num_hidden_layers === sizes.num_hidden_layers,
  );
  return found && { name: found[0], heads: found[1].num_attention_heads };
}
