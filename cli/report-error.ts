import { CommanderError } from 'commander';
import { errorMessage, shortened, VlmoError } from '#errors.ts';
import { errnoOf } from '#machine-error.ts';
import { EXIT_FAILED, EXIT_INTERRUPTED } from './exit-codes.ts';
import { note, printable } from './output.ts';
import { Interrupted } from './signals.ts';

/** Prints what a person can act on, and gives the exit code. What is neither ours nor the system's keeps its stack: it is a bug. */
export function reportError(error: unknown): number {
  // commander has printed its own message.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_FAILED;
  if (error instanceof Interrupted) {
    note('Stopped before anything was begun.');
    return EXIT_INTERRUPTED;
  }
  if (error instanceof VlmoError) note(describeError(error));
  else if (errnoOf(error) !== undefined) note(describeError(systemError(error)));
  else note(`vlmo: ${error instanceof Error ? shortened(error.stack ?? error.message) : String(error)}`);
  return EXIT_FAILED;
}

/** What the system refuses, a person can mend. */
function systemError(error: unknown): VlmoError {
  const message = `Cannot go on: expected the system to do it, received ${errorMessage(error)}`;
  return new VlmoError('MACHINE_FAILED', message, { cause: error });
}

/** One line, whatever names the message holds. */
export function describeError({ message, code }: VlmoError): string {
  return `vlmo: ${printable(message)} [${code}]`;
}
