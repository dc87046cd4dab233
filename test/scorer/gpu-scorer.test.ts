// Runs alone: it owns a device.
import { createResidentScorer } from '#scorer/resident-scorer.ts';
import { useSoftwareGpu } from '../fixtures/software-gpu.ts';
import { scorerSuite } from './scorer-suite.ts';

useSoftwareGpu();

/** As `resolveDevice` finds it; the probe is tested where it belongs. */
const device = {
  provider: 'webgpu',
  cards: [],
  reason: 'tested',
  hasHalf: false,
  isSoftware: true,
} as const;

scorerSuite(
  'createResidentScorer, on a GPU (in software)',
  async (table, dimensions) =>
    createResidentScorer(table, { device, dimensions, maxTail: 20, segmentRows: 512 }),
  [0, 65, 700],
);
