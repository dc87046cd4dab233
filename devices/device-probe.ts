import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onlyCard } from './cards.ts';
import { otherCudaVersion } from './cuda-version.ts';
import type { ProbeDepth, ProbeReport } from './probe-report.ts';
import type { Provider } from './provider.ts';

/** A software GPU on a busy machine needs some seconds, and ten times as many for a block. */
const PATIENCE_MS = { works: 60_000, speed: 60_000, block: 300_000 } as const;

/** Runs graphs on a provider in a process of its own: drivers may abort, and one that hangs is ended. */
export function probeProvider(
  provider: Provider,
  depth: ProbeDepth,
  patienceMs: number = PATIENCE_MS[depth],
  card?: number,
): Promise<ProbeReport> {
  const entry = fileURLToPath(import.meta.resolve('#devices/probe.process.ts'));
  return new Promise((resolve) => {
    // TF32 would round the inputs of products to 11 bits: nothing computes with it, so it is not measured either.
    const only = card === undefined ? {} : { CUDA_VISIBLE_DEVICES: onlyCard(card) };
    const env = { NVIDIA_TF32_OVERRIDE: '0', ...process.env, ...only };
    const options = { timeout: patienceMs, killSignal: 'SIGKILL', env } as const;
    execFile(process.execPath, [entry, provider, depth], options, (error, stdout, stderr) => {
      const report = lastJson(stdout);
      // A driver that aborts when the process ends has done its work before.
      if (report?.works || report?.wrong !== undefined) resolve(report);
      else {
        const reason = explain(report?.reason, error, stderr, patienceMs);
        const other = provider === 'cuda' ? otherCudaVersion() : undefined;
        resolve({ works: false, reason: other === undefined ? reason : `${other} (${reason})` });
      }
    });
  });
}

function lastJson(stdout: string): ProbeReport | undefined {
  const line = stdout.trimEnd().split('\n').at(-1);
  return line?.startsWith('{') ? (JSON.parse(line) as ProbeReport) : undefined;
}

interface Exit {
  readonly killed?: boolean | undefined;
  readonly signal?: NodeJS.Signals | null | undefined;
  readonly code?: number | string | null | undefined;
}

/** What is missing, in words that say what to do, of what onnxruntime and the drivers wrote. */
function explain(reason: string | undefined, exit: Exit | null, stderr: string, patienceMs: number): string {
  const hint = HINTS.find(([pattern]) => pattern.test(stderr))?.[1];
  const said = WARNINGS.map((pattern) => pattern.exec(stderr)?.[1]).find((line) => line !== undefined);
  if (hint !== undefined) return said === undefined ? hint : `${hint} (${said})`;
  if (exit?.killed) return `no answer within ${patienceMs / 1000} seconds`;
  if (exit?.signal) return `the end of the process by ${exit.signal} while it was tried`;
  // What onnxruntime checked comes before what it means.
  const meaning = reason?.replace(/^.* was false\. /s, '').trim();
  return said ?? meaning ?? `exit code ${exit?.code} of the process that tried it`;
}

const DRIVER_HELP =
  "install the GPU's own driver with Vulkan (Debian: mesa-vulkan-drivers for AMD and Intel), and in a container pass the GPU in";

const DOES_NOT_START =
  "a Vulkan driver that does not start: install the libraries it needs (NVIDIA's: libx11-6, libxext6, libegl1)";

const HINTS: readonly (readonly [RegExp, string])[] = [
  [/Couldn't load Vulkan/, 'no Vulkan loader: install libvulkan.so.1 (Debian: apt-get install libvulkan1)'],
  [/Could not get 'vkCreateInstance'/, DOES_NOT_START],
  [/Found no drivers|VK_ERROR_INCOMPATIBLE_DRIVER/, `no Vulkan driver that loads: ${DRIVER_HELP}`],
  [/While initializing adapter/, `no Vulkan driver that WebGPU can use: ${DRIVER_HELP}`],
  [/vk\w+ failed with VK_/, DOES_NOT_START],
  [
    /lib(cudnn|cublas|cudart|cufft|curand|nvrtc)\S*: cannot open/,
    'no CUDA 12 with cuDNN 9 on the library path',
  ],
  [
    /CUDA driver version is insufficient|no CUDA-capable device|CUDA failure 100\b/,
    'no NVIDIA GPU with a driver for CUDA 12',
  ],
];

/** Where the first cause stands in what they write. */
const WARNINGS = [
  /with error: (.+)$/m,
  /Couldn't load Vulkan: (.+)$/m,
  /(Failed loading library associated with ICD JSON [^\s]+)\. /,
  /(Failed to open JSON file .+)$/m,
  /(Could not get 'vkCreateInstance' .+)$/m,
  /^Warning: (Vulkan .+)$/m,
  /(vk\w+ failed with VK_\w+)/,
  /CUDA failure \d+: (.+?) ;/,
];
