import { workerData } from 'piscina';
import { createEmbedder } from './embedder.ts';
import type { InferenceSetup } from './protocol.ts';

// Piscina waits for the promise: a thread takes tasks when its sessions are ready.
export default createEmbedder(workerData as unknown as InferenceSetup);
