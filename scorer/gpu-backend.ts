import { errorMessage, VlmoError } from '#errors.ts';
import type { Backend } from './backend.ts';
import { type Gpu, openGpu } from './gpu-device.ts';
import { GpuSegment } from './gpu-segment.ts';

/** Segments on a GPU through WebGPU. It needs no thread: the GPU computes while this one goes on. */
export function createGpuBackend(): Backend {
  const segments = new Map<number, GpuSegment>();
  let opening: Promise<Gpu> | undefined;

  async function failing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof VlmoError) throw error;
      const received = `an error (${errorMessage(error)})`;
      throw new VlmoError(
        'SCORING_FAILED',
        `Cannot score on webgpu: expected the best rows, received ${received}`,
      );
    }
  }

  return {
    open: (task) =>
      failing(async () => {
        opening ??= openGpu();
        segments.set(task.segment, await GpuSegment.open(await opening, { kind: 'open', ...task }));
      }),
    score: (task) =>
      failing(async () => {
        const segment = segments.get(task.segment);
        if (!segment) throw new Error(`No segment ${task.segment} is open: this is a bug`);
        return segment.score(task);
      }),
    async close(number) {
      segments.get(number)?.close();
      segments.delete(number);
    },
    async [Symbol.asyncDispose]() {
      for (const segment of segments.values()) segment.close();
      segments.clear();
      (await opening?.catch(() => undefined))?.[Symbol.dispose]();
    },
  };
}
