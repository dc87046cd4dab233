import { workerData } from 'piscina';
import type { BackendSetup } from './protocol.ts';
import { createSegments } from './segments.ts';

export default createSegments(workerData as unknown as BackendSetup);
