import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** What can be known of a machine's GPUs by looking, without running anything on them. */

const CUDA_LIBRARIES = ['libonnxruntime_providers_shared.so', 'libonnxruntime_providers_cuda.so'];
const SOFTWARE_DRIVERS = /swiftshader|vulkan_lvp/;

/** Device files of GPUs; undefined where the system has no such files, and a GPU may be there or not. */
export function gpuDeviceFiles(): readonly string[] | undefined {
  if (process.platform !== 'linux') return undefined;
  const inFolder = (folder: string, name: RegExp): string[] =>
    existsSync(folder)
      ? readdirSync(folder)
          .filter((file) => name.test(file))
          .map((file) => join(folder, file))
      : [];
  // AMD, Intel and others; NVIDIA's own driver; Windows' GPU seen from WSL.
  return [...inFolder('/dev/dri', /^renderD\d+$/), ...inFolder('/dev', /^(nvidia\d+|dxg)$/)];
}

/** onnxruntime's CUDA libraries that are not installed, as paths. */
export function missingCudaLibraries(): readonly string[] {
  return CUDA_LIBRARIES.map(libraryPath).filter((path) => !existsSync(path));
}

/** Where onnxruntime's CUDA library belongs. */
export function cudaLibrary(): string {
  return libraryPath('libonnxruntime_providers_cuda.so');
}

function libraryPath(name: string): string {
  return join(onnxruntimeFolder(), 'bin', 'napi-v6', process.platform, process.arch, name);
}

export function onnxruntimeFolder(): string {
  return dirname(dirname(createRequire(import.meta.url).resolve('onnxruntime-node')));
}

/**
 * Whether WebGPU computes in software, on the CPU: without a GPU's device file it can do nothing else. `drivers` are the
 * Vulkan drivers that it loaded, as paths; undefined where neither tells.
 */
export function isSoftwareGpu(drivers: readonly string[]): boolean | undefined {
  const files = gpuDeviceFiles();
  if (files?.length === 0) return true;
  return drivers.length > 0 ? drivers.every((path) => SOFTWARE_DRIVERS.test(path)) : undefined;
}
