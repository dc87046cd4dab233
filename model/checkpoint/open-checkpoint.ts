import { VlmoError } from '#errors.ts';
import { type CheckpointArchive, openArchive } from './archive.ts';
import { unpickle } from './pickle.ts';
import type { PickledTensor, PickleValue } from './pickle-values.ts';
import { stateDict } from './state-dict.ts';

export interface Checkpoint extends AsyncDisposable {
  readonly archive: CheckpointArchive;
  readonly tensors: ReadonlyMap<string, PickledTensor>;
}

/** A checkpoint and its tensors by name; nothing in it is run. Throws CHECKPOINT_*. */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const archive = await openArchive(path);
  try {
    const tensors = stateDict(path, unpickleNamed(path, archive.pickle));
    return { archive, tensors, [Symbol.asyncDispose]: () => archive[Symbol.asyncDispose]() };
  } catch (error) {
    await archive[Symbol.asyncDispose]();
    throw error;
  }
}

/** The pickle knows bytes only; a person is told of which file. */
function unpickleNamed(path: string, pickle: Uint8Array): PickleValue {
  try {
    return unpickle(pickle);
  } catch (error) {
    if (!(error instanceof VlmoError)) throw error;
    throw new VlmoError(error.code, error.message.replace('checkpoint:', `checkpoint "${path}":`), {
      cause: error,
    });
  }
}
