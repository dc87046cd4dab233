import { VlmoError } from '#errors.ts';
import { cardsOf } from './cards.ts';
import { probeProvider } from './device-probe.ts';
import { gpuDeviceFiles, isSoftwareGpu, missingCudaLibraries } from './gpu-facts.ts';
// The lock that threads share a GPU by has to be there before they are.
import './gpu-lock.ts';
import type { ProbeReport } from './probe-report.ts';
import type { DeviceName, Provider } from './provider.ts';

export type { DeviceName, Provider };

/** What computes: onnxruntime's provider, tried out on this machine. */
export interface Device {
  readonly provider: Provider;
  /** Cards of CUDA, where they are named. */
  readonly cards: readonly number[];
  /** Why this one, as the end of a sentence. */
  readonly reason: string;
  /** Whether it computes in 16-bit floats; float16 tensors fail where it does not. */
  readonly hasHalf: boolean;
  /** Whether it is a GPU imitated by the CPU, as far as can be told. */
  readonly isSoftware: boolean | undefined;
}

const CUDA_INSTALL =
  'install onnxruntime\'s CUDA libraries (README, "In your own project": npm install without ONNXRUNTIME_NODE_INSTALL=skip), CUDA 12 and cuDNN 9';

const known = new Map<DeviceName, Promise<Device>>();

/**
 * The device of a name, once it has computed something on it; for `auto` the fastest that works. GPUs are tried in a
 * process of their own, which a driver may take down. Throws DEVICE_UNAVAILABLE, and
 * DEVICE_WRONG where it computes something else than the CPU: a device that is named is never replaced. Whoever makes
 * sessions for it makes and runs them `inTurn`.
 */
export function resolveDevice(asked: DeviceName): Promise<Device> {
  const resolved = known.get(asked) ?? resolve(asked);
  known.set(asked, resolved);
  return resolved;
}

async function resolve(asked: DeviceName): Promise<Device> {
  if (asked === 'cpu') return cpu('asked for');
  const device =
    asked === 'auto' ? await choose() : asked === 'webgpu' ? await use(asked) : await useCards(asked);
  return device;
}

/** CUDA, and each card that is named: none is believed because another one is right. */
async function useCards(name: DeviceName): Promise<Device> {
  const missing = missingCuda();
  if (missing !== undefined) throw unavailable(name, missing);
  const cards = cardsOf(name);
  if (cards.length === 0) return use('cuda');
  const each = await Promise.all([...new Set(cards)].map((card) => use('cuda', card)));
  return { ...(each[0] as Device), hasHalf: each.every(({ hasHalf }) => hasHalf), cards };
}

async function use(provider: 'webgpu' | 'cuda', card?: number): Promise<Device> {
  const report = await probeProvider(provider, 'works', undefined, card);
  if (!report.works) throw failed(card === undefined ? provider : `${provider}:${card}`, report);
  return gpu(provider, 'asked for', report);
}

/** What CUDA lacks here and how to get it, in words; undefined where the libraries are there. */
export function missingCuda(): string | undefined {
  const [first] = missingCudaLibraries();
  return first === undefined ? undefined : `none at "${first}"; ${CUDA_INSTALL}`;
}

/** The fastest by a measurement. It takes no time where there is no GPU. */
async function choose(): Promise<Device> {
  const files = gpuDeviceFiles();
  if (files?.length === 0)
    return cpu('no GPU is there: neither /dev/dri/renderD*, /dev/nvidia* nor /dev/dxg');
  const reasons: string[] = [];
  for (const provider of missingCuda() === undefined
    ? (['cuda', 'webgpu'] as const)
    : (['webgpu'] as const)) {
    const report = await probeProvider(provider, 'speed');
    if (!report.works)
      reasons.push(
        `${provider} ${report.wrong === undefined ? 'does not work' : 'is wrong'} (${report.reason})`,
      );
    else {
      const { gflops, cpuGflops } = report;
      const measured = `${provider} computes ${round(gflops)} GFLOP/s, the CPU ${round(cpuGflops)}`;
      if (gflops > cpuGflops) return gpu(provider, measured, report);
      reasons.push(measured);
    }
  }
  return cpu(reasons.join('; '));
}

function cpu(reason: string): Device {
  return { provider: 'cpu', cards: [], reason, hasHalf: false, isSoftware: false };
}

function gpu(provider: 'webgpu' | 'cuda', reason: string, report: ProbeReport & { works: true }): Device {
  const isWebGpu = provider === 'webgpu';
  return {
    provider,
    cards: [],
    reason,
    hasHalf: report.hasHalf,
    isSoftware: isWebGpu ? isSoftwareGpu(report.drivers) : false,
  };
}

/** Why a device that was asked for cannot be used. */
function failed(provider: string, { reason, wrong }: ProbeReport & { works: false }): VlmoError {
  return wrong === undefined ? unavailable(provider, reason) : new VlmoError('DEVICE_WRONG', wrong);
}

function unavailable(provider: string, received: string): VlmoError {
  const expected = provider.startsWith('cuda') ? 'onnxruntime on an NVIDIA GPU' : 'a GPU that WebGPU can use';
  return new VlmoError(
    'DEVICE_UNAVAILABLE',
    `Cannot use device "${provider}": expected ${expected}, received ${received}`,
  );
}

function round(gflops: number): string {
  return gflops < 10 ? gflops.toFixed(1) : String(Math.round(gflops));
}

/** `webgpu, because …`: one line for whoever wonders what computes. */
export function describeDevice({ provider, cards, reason, isSoftware }: Device): string {
  const name = cards.length === 0 ? provider : cards.map((card) => `${provider}:${card}`).join(',');
  return `${name}${isSoftware ? ' in software' : ''} (${reason})`;
}
