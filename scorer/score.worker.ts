import { workerData } from 'piscina';
import { createBackendThread } from './backend-thread.ts';
import type { BackendSetup } from './protocol.ts';

export default createBackendThread(workerData as unknown as BackendSetup);
