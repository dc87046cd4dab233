import { availableParallelism } from 'node:os';
import type { Provider } from '#devices/provider.ts';
import { type Backend, createBackend } from './backend.ts';
import { createWebGpuBackend } from './webgpu/webgpu-backend.ts';

/**
 * The backends of a provider. On the CPU each core has segments of its own, and each card that is named: a lone query reads
 * them all at once.
 */
export function createBackends(provider: Provider, cards: readonly number[] = []): Backend[] {
  if (provider === 'webgpu') return [createWebGpuBackend()];
  if (cards.length > 0) return cards.map((card) => createBackend({ provider, card }));
  const count = provider === 'cpu' ? availableParallelism() : 1;
  return Array.from({ length: count }, () => createBackend({ provider }));
}
