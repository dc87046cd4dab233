import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Provider } from './provider.ts';

/** One node of a graph that ran, as onnxruntime's profile has it. */
export interface ProfiledNode {
  readonly op: string;
  readonly provider: Provider | string;
  /** Whether all it gives is 64-bit integers: sizes of tensors, which every provider leaves to the CPU. */
  readonly isShape: boolean;
}

interface ProfileEvent {
  readonly cat: string;
  readonly name: string;
  readonly args?: {
    readonly op_name?: string;
    readonly provider?: string;
    readonly output_type_shape?: readonly Readonly<Record<string, readonly number[]>>[];
  };
}

/** The nodes that ran, each as often as it did, of the profile that a session wrote under this prefix. */
export async function readProfile(prefix: string): Promise<ProfiledNode[]> {
  const names = await readdir(dirname(prefix));
  const name = names.find((candidate) => candidate.startsWith(basename(prefix)));
  if (name === undefined) throw new Error(`onnxruntime wrote no profile "${prefix}": this is a bug`);
  const events = JSON.parse(await readFile(join(dirname(prefix), name), 'utf8')) as ProfileEvent[];
  return events
    .filter(({ cat, name }) => cat === 'Node' && name.endsWith('_kernel_time'))
    .map(({ args = {} }) => ({
      op: args.op_name ?? '',
      provider: shortName(args.provider ?? ''),
      isShape: (args.output_type_shape ?? []).every((output) => Object.keys(output).join() === 'int64'),
    }));
}

/** `WebGpuExecutionProvider` as `webgpu`. */
function shortName(provider: string): string {
  return provider.replace(/ExecutionProvider$/, '').toLowerCase();
}
