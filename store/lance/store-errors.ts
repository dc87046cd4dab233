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
    `Cannot open index "${folder}": its table "${name}" is gone or damaged; restore "lance/${name}.lance" from a backup, or ${wayOut(name, folder)}; what else is wrong says: vlmo doctor --index ${folder}`,
    { cause },
  );
}

/** Tables without which nothing that is stored is lost, but what is known of runs and of what failed. */
export const RENEWABLE_TABLES: ReadonlySet<string> = new Set(['failures', 'runs', 'chunks', 'chunk_results']);

/** How an index is mended whose table nobody has a copy of. */
export function wayOut(name: string, folder: string): string {
  if (!RENEWABLE_TABLES.has(name)) return 'index anew into another folder';
  return `make it anew, empty: vlmo doctor --index ${folder} --renew-tables`;
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
