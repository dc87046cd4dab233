import type { Differences } from './known-answers.ts';
import type { BlockReport } from './probe-block.ts';

/** `works` runs something small; `speed` also measures it, and the CPU beside it; `block` measures a block of the model. */
export type ProbeDepth = 'works' | 'speed' | 'block';

/** What a provider did on this machine; what was not asked for is 0 or null. */
export type ProbeReport =
  | {
      readonly works: true;
      readonly hasHalf: boolean;
      /** Drivers that were loaded, as paths, where the system tells. */
      readonly drivers: readonly string[];
      readonly gflops: number;
      readonly cpuGflops: number;
      readonly block: BlockReport | null;
      readonly differences: Differences;
    }
  | {
      readonly works: false;
      readonly reason: string;
      /** The whole message where it computes something else than the CPU. */
      readonly wrong?: string;
    };
