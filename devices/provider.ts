/** What computes, by onnxruntime's name. */
export type Provider = 'cpu' | 'webgpu' | 'cuda';
/** What may be asked for. */
export type { DeviceName } from '#config/device-type.ts';
