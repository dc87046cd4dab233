import { CommanderError } from 'commander';
import { VlmoError } from '#errors.ts';
import { EXIT_FAILED } from './exit-codes.ts';

/** Prints what a person can act on, and gives the exit code. Anything unexpected keeps its stack: it is a bug. */
export function reportError(error: unknown): number {
  // commander has printed its own message.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_FAILED;
  if (error instanceof VlmoError) process.stderr.write(`vlmo: ${error.message} [${error.code}]\n`);
  else
    process.stderr.write(
      `vlmo: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
  return EXIT_FAILED;
}
