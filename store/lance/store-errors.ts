import { errorMessage, VlmoError } from '#errors.ts';

/** Does one reading step; what fails in it becomes STORE_READ_FAILED. `what` names the thing, with its path. */
export async function attemptRead<T>(what: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    throw failure('STORE_READ_FAILED', 'read', what, cause);
  }
}

/** Does one writing step; what fails in it becomes STORE_WRITE_FAILED. */
export async function attemptWrite<T>(what: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    throw failure('STORE_WRITE_FAILED', 'write', what, cause);
  }
}

/** A table that was there once. */
export function tableLost(name: string, folder: string, cause?: unknown): VlmoError {
  return new VlmoError(
    'STORE_TABLE_LOST',
    `Cannot open index "${folder}": its table "${name}" is gone or damaged; restore "lance/${name}.lance" from a backup, or index anew into another folder; what else is wrong says: vlmo doctor --index ${folder}`,
    { cause },
  );
}

function failure(
  code: 'STORE_READ_FAILED' | 'STORE_WRITE_FAILED',
  verb: string,
  what: string,
  cause: unknown,
): Error {
  if (cause instanceof VlmoError) return cause;
  return new VlmoError(code, `Cannot ${verb} ${what}: expected success, received ${reason(cause)}`, {
    cause,
  });
}

/** Lance repeats its message for each layer ("Caused by") and names lines of its own source: kept in `cause`. */
function reason(cause: unknown): string {
  const [first = ''] = errorMessage(cause).split(/\s+Caused by: /);
  return first.replaceAll(/, \/[^ ,]*\.rs:\d+:\d+/g, '').trim();
}
