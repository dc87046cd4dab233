import { CommanderError } from 'commander';
import { VlmoError } from '#errors.ts';
import { EXIT_FAILED, EXIT_INTERRUPTED } from './exit-codes.ts';
import { note, printable } from './output.ts';
import { Interrupted } from './signals.ts';

/** Prints what a person can act on, and gives the exit code. Anything unexpected keeps its stack: it is a bug. */
export function reportError(error: unknown): number {
  // commander has printed its own message.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_FAILED;
  if (error instanceof VlmoError) note(describeError(error));
  else if (error instanceof Interrupted) {
    note('Stopped before anything was begun.');
    return EXIT_INTERRUPTED;
  } else note(`vlmo: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return EXIT_FAILED;
}

/** One line, whatever names the message holds. */
export function describeError({ message, code }: VlmoError): string {
  return `vlmo: ${printable(message)} [${code}]`;
}
