import { open, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VlmoError } from '#errors.ts';
import { halfToFloat } from '#float16.ts';
import { orMachineError } from '#machine-error.ts';
import { makeScratchFolder } from '#scratch-folder.ts';
import { layOutSafetensors, type TensorPlace } from './safetensors.ts';
import { createWeights, WEIGHTS_FILE, type Weights } from './weights.ts';

/** Weights as a model folder has them. */
export interface StoredWeights {
  readonly path: string;
  readonly weights: Weights;
}

/** Weights in the form that sessions map into memory: one file, shared by all sessions of all threads. */
export interface MappedWeights {
  readonly folder: string;
  readonly weights: Weights;
}

export interface PreparedWeights extends MappedWeights, AsyncDisposable {}

const PREFIX = 'vlmo-weights-';
/** Elements converted at a time. */
const CHUNK = 1024 * 1024;

/**
 * float32 weights are mapped where they lie. float16 ones are widened once into memory (a file on /dev/shm where it
 * has room), because the CPU provider would otherwise make a private float32 copy for every session. The file may be
 * disposed of as soon as the sessions exist: a mapping outlives its name.
 */
export async function prepareWeights(model: StoredWeights): Promise<PreparedWeights> {
  if ([...model.weights.tensors.values()].every(({ dtype }) => dtype === 'F32')) {
    return { folder: model.path, weights: model.weights, [Symbol.asyncDispose]: async () => {} };
  }
  const { tensors } = model.weights;
  const specs = new Map([...tensors].map(([name, { shape }]) => [name, { dtype: 'F32', shape } as const]));
  const { header, places } = layOutSafetensors(specs);
  const bytes = [...places.values()].reduce(
    (end, place) => Math.max(end, place.offset + place.length),
    header.length,
  );
  const folder = await makeFolder(bytes);
  await widen(join(model.path, WEIGHTS_FILE), join(folder, WEIGHTS_FILE), tensors, header).catch(
    async (error: unknown) => {
      await rm(folder, { recursive: true, force: true });
      throw orMachineError(`Cannot write ${bytes} bytes of weights to "${folder}"`, error);
    },
  );
  return {
    folder,
    weights: createWeights(WEIGHTS_FILE, places),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

async function makeFolder(bytes: number): Promise<string> {
  const memory = '/dev/shm';
  const free = await statfs(memory).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => 0,
  );
  const inMemory = free > bytes * 1.1 ? makeScratchFolder(memory, PREFIX) : undefined;
  // It may be full of files, or for reading only.
  return inMemory?.catch(() => makeScratchFolder(tmpdir(), PREFIX)) ?? makeScratchFolder(tmpdir(), PREFIX);
}

async function widen(
  from: string,
  to: string,
  tensors: ReadonlyMap<string, TensorPlace>,
  header: Uint8Array,
): Promise<void> {
  await using source = await open(from);
  await using target = await open(to, 'wx');
  await target.writeFile(header);
  const halves = new Uint16Array(CHUNK);
  const values = new Float32Array(CHUNK);
  for (const { offset, length } of tensors.values()) {
    for (let done = 0; done < length; done += CHUNK * 2) {
      const half = halves.subarray(0, Math.min(CHUNK, (length - done) / 2));
      const { bytesRead } = await source.read(
        new Uint8Array(halves.buffer),
        0,
        half.byteLength,
        offset + done,
      );
      if (bytesRead !== half.byteLength) {
        throw new VlmoError(
          'MODEL_INVALID',
          `Cannot read weights "${from}": expected ${half.byteLength} bytes at ${offset + done}, received ${bytesRead}`,
        );
      }
      halfToFloat(half, values);
      await target.writeFile(new Uint8Array(values.buffer, 0, half.length * 4));
    }
  }
}
