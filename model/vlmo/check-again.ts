import { errorMessage, VlmoError } from '#errors.ts';
import type { ModelInputs, Tensor } from './inputs.ts';
import type { GraphKind } from './network.ts';
import { compareDevice } from './prove-vlmo.ts';

/** What a graph was asked when it was proven, and its answer. */
export interface Check {
  readonly known: ModelInputs;
  readonly answer: Float32Array;
}

/**
 * Asks a device again what it has answered before, when a run has failed or given what is no number: so that no item is
 * blamed for it. Throws DEVICE_LOST where it answers nothing, DEVICE_WRONG where it answers something else.
 */
export async function checkAgain(
  { known, answer }: Check,
  kind: GraphKind,
  ask: (inputs: ModelInputs) => Promise<Tensor>,
  device: string,
): Promise<void> {
  const again = await ask(known).catch((error: unknown) => {
    throw new VlmoError(
      'DEVICE_LOST',
      `Cannot go on with device "${device}": expected the answer that it gave when it was tried, received an error (${errorMessage(error)})`,
      { cause: error },
    );
  });
  compareDevice(device, kind, answer, again.data);
}
