import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { layOutSafetensors } from '../safetensors.ts';

type StoredType = 'F32' | 'F16';

/** Writes all weights in one pass, in pieces, and returns the file's SHA-256. */
export async function writeWeights(
  path: string,
  {
    wanted,
    dtype: type,
  }: { readonly wanted: ReadonlyMap<string, readonly number[]>; readonly dtype: 'f32' | 'f16' },
  bytesFor: (name: string, dtype: StoredType) => AsyncIterable<Uint8Array>,
): Promise<string> {
  const dtype = type === 'f32' ? 'F32' : 'F16';
  const specs = new Map([...wanted].map(([name, shape]) => [name, { dtype, shape } as const]));
  const { header } = layOutSafetensors(specs);
  const hash = createHash('sha256');
  await using file = await open(path, 'wx');
  const append = async (bytes: Uint8Array): Promise<void> => {
    hash.update(bytes);
    await file.writeFile(bytes);
  };
  await append(header);
  for (const name of wanted.keys()) {
    for await (const bytes of bytesFor(name, dtype)) await append(bytes);
  }
  await file.sync();
  return hash.digest('hex');
}
