import { errorMessage, VlmoError } from '#errors.ts';
import type { Backend } from '../backend.ts';
import { DoubtfulRows } from '../doubtful-rows.ts';
import { type Gpu, openGpu } from './gpu-device.ts';
import { WebGpuSegment } from './webgpu-segment.ts';

/** Segments on a GPU through WebGPU. It needs no thread: the GPU computes while this one goes on. */
export function createWebGpuBackend(): Backend {
  const segments = new Map<number, WebGpuSegment>();
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
        segments.set(task.segment, await WebGpuSegment.open(await opening, task));
      }),
    score: ({ parts, queries, k }) =>
      failing(async () => {
        let lists: DoubtfulRows[] | undefined;
        for (const [part, { segment: number, hidden }] of parts.entries()) {
          const segment = segments.get(number);
          if (!segment) throw new Error(`No segment ${number} is open: this is a bug`);
          lists ??= Array.from({ length: queries.length / segment.dimensions }, () => new DoubtfulRows(k));
          await segment.score(part, queries, k, hidden, lists);
        }
        return DoubtfulRows.concat(lists ?? []);
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
