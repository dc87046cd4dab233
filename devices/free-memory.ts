import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Provider } from './provider.ts';

const run = promisify(execFile);
const TIMEOUT_MS = 5000;
const MIB = 2 ** 20;

/** Bytes that are free on the first card, which CUDA takes; undefined where nobody says: WebGPU has no such question. */
export async function freeMemory(provider: Provider): Promise<number | undefined> {
  if (provider !== 'cuda') return undefined;
  const asked = ['--query-gpu=memory.free', '--format=csv,noheader,nounits'];
  const answer = await run('nvidia-smi', asked, { timeout: TIMEOUT_MS }).catch(() => undefined);
  const [first = ''] = answer?.stdout.trim().split('\n') ?? [];
  return /^\d+$/.test(first) ? Number(first) * MIB : undefined;
}
