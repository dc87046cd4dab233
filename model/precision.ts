import type { Device } from '#devices/device.ts';

/** How a model computes, whatever its weights are stored in: with blocks of 16 bits, or in 32 bits throughout. */
export type Precision = 'f32' | 'f16';

/** What a model computes in, after it has been tried. */
export interface ModelPrecision {
  readonly precision: Precision;
  /** Why it is not the one that was asked for. */
  readonly reason: string | null;
}

/**
 * `auto` is 16 bits with CUDA, where they are nine times as fast; onnxruntime's WebGPU gains nothing by them and sums in
 * them, and the CPU has no use for them.
 */
export function precisionOn(
  { provider, hasHalf }: Pick<Device, 'provider' | 'hasHalf'>,
  asked: 'auto' | Precision,
): Precision {
  if (asked !== 'auto') return asked;
  return provider === 'cuda' && hasHalf ? 'f16' : 'f32';
}

/** One line for whoever wonders why a model computes in 32 bits. */
export function describePrecision({ reason }: ModelPrecision): string | undefined {
  return reason === null
    ? undefined
    : `Precision: f32, because f16 was tried and is not near enough: ${reason}`;
}
