import { setTimeout as delay } from 'node:timers/promises';
import { errorMessage, isOfTheMachine, VlmoError } from './errors.ts';

/** What a machine may have again in a moment: handles, memory, room, a disk or a file server that answers. */
const PASSING: ReadonlySet<string> = new Set([
  ...['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'ENOSPC', 'EDQUOT'],
  ...['EIO', 'ESTALE', 'ETIMEDOUT', 'ENOTCONN', 'EHOSTDOWN', 'EREMOTEIO'],
]);
/** Of those, what any other file would meet as well. */
const EVERYWHERE: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOSPC', 'EDQUOT']);
const PAUSES_MS = [50, 250, 1000];

/** Does a step again, with pauses, where the machine could not do it for the moment. Throws what the last try throws. */
export async function patiently<T>(step: () => T | Promise<T>): Promise<T> {
  for (const pause of PAUSES_MS) {
    try {
      return await step();
    } catch (error) {
      if (!PASSING.has(errnoOf(error) ?? '')) throw error;
    }
    await delay(pause);
  }
  return step();
}

/**
 * The error of a machine that lacks what every file needs, as MACHINE_FAILED; any other error as it is. `action` is what
 * cannot be done: `Cannot read image "a.jpg"`.
 */
export function orMachineError(action: string, error: unknown): unknown {
  if (!EVERYWHERE.has(errnoOf(error) ?? '')) return error;
  return new VlmoError(
    'MACHINE_FAILED',
    `${action}: the machine refuses it (${errorMessage(rootOf(error))})`,
    {
      cause: error,
    },
  );
}

/** Throws the error of a machine that lacks what every file needs; does nothing for others. */
export function throwIfMachine(action: string, error: unknown): void {
  if (isOfTheMachine(error)) throw error;
  const found = orMachineError(action, error);
  if (found !== error) throw found;
}

/** How the system calls what went wrong (`EIO`); undefined where it is not the system that says so. */
export function errnoOf(error: unknown): string | undefined {
  const { code, syscall, errno } = rootOf(error) as NodeJS.ErrnoException;
  return syscall !== undefined || errno !== undefined ? code : undefined;
}

function rootOf(error: unknown): Error {
  if (error instanceof Error && error.cause instanceof Error) return rootOf(error.cause);
  return error instanceof Error ? error : new Error(String(error));
}
