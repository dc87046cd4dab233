import { workerData } from 'piscina';
import type { LaneSetup } from './protocol.ts';
import { createSegments } from './segments.ts';

export default createSegments(workerData as unknown as LaneSetup);
