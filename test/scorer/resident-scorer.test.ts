import { resolveDevice } from '#devices/device.ts';
import { createResidentScorer } from '#scorer/resident-scorer.ts';
import { type MakeScorer, scorerSuite } from './scorer-suite.ts';

const onDevice =
  (options: { readonly maxTail: number; readonly segmentRows?: number }): MakeScorer =>
  async (table, dimensions) =>
    createResidentScorer(table, { device: await resolveDevice('cpu'), dimensions, ...options });

scorerSuite('VectorTable.nearest', async (table) => table, [0, 1, 63, 64, 500, 1500]);
scorerSuite('createResidentScorer, rows in the tail alone', onDevice({ maxTail: 5000 }), [0, 1, 500]);
scorerSuite(
  'createResidentScorer, one segment and less',
  onDevice({ maxTail: 0 }),
  [0, 1, 63, 64, 65, 500, 1500],
);
scorerSuite(
  'createResidentScorer, many segments and a tail',
  onDevice({ maxTail: 20, segmentRows: 128 }),
  [127, 129, 1500],
);
