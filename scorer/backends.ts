import { availableParallelism } from 'node:os';
import type { Provider } from '#devices/provider.ts';
import { type Backend, createBackend } from './backend.ts';
import { createGpuBackend } from './gpu-backend.ts';
import type { SegmentType } from './protocol.ts';

/** The backends of a provider. On the CPU each core has segments of its own: a lone query reads them all at once. */
export function createBackends(provider: Provider): Backend[] {
  if (provider === 'webgpu') return [createGpuBackend()];
  const count = provider === 'cpu' ? availableParallelism() : 1;
  return Array.from({ length: count }, () => createBackend({ provider, threads: 1 }));
}

/** How a provider keeps vectors: as they are stored, but for the CPU, whose products are float32. */
export function segmentType(provider: Provider): SegmentType {
  return provider === 'cpu' ? 'float32' : 'float16';
}
