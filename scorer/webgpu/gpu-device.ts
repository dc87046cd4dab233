import { errorMessage, VlmoError } from '#errors.ts';

/** A GPU that kernels of ours run on, through WebGPU. */
export interface Gpu extends Disposable {
  readonly device: GPUDevice;
  readonly owners: readonly object[];
  /** Bytes that a workgroup shares. */
  readonly sharedBytes: number;
}

/**
 * Opens the GPU. Dawn, which Node has through the package `webgpu`, is loaded when this is called first: who has no GPU
 * does not need it. Throws DEVICE_UNAVAILABLE, with what is missing.
 */
export async function openGpu(): Promise<Gpu> {
  const { create, globals } = await load();
  // WebGPU's constants are globals in a browser.
  Object.assign(globalThis, globals);
  const gpu = create([]);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw unavailable('a GPU with a Vulkan, Metal or Direct3D 12 driver', 'none');
  if (!adapter.features.has('subgroups')) throw unavailable('a GPU with subgroups', adapter.info.description);
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize } = adapter.limits;
  const device = await adapter.requestDevice({
    requiredFeatures: ['subgroups'],
    requiredLimits: { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize },
  });
  return {
    device,
    // Dawn ends with what it was made through, whoever still uses the device.
    owners: [gpu, adapter],
    sharedBytes: maxComputeWorkgroupStorageSize,
    [Symbol.dispose]: () => device.destroy(),
  };
}

async function load(): Promise<typeof import('webgpu')> {
  try {
    return await import('webgpu');
  } catch (error) {
    throw unavailable('the package "webgpu" (npm install webgpu)', errorMessage(error));
  }
}

function unavailable(expected: string, received: string): VlmoError {
  return new VlmoError(
    'DEVICE_UNAVAILABLE',
    `Cannot score on device "webgpu": expected ${expected}, received ${received}; --device cpu works everywhere`,
  );
}
