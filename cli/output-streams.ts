import { errorMessage, VlmoError } from '#errors.ts';
import { reportError } from './report-error.ts';

let isAllOutput = false;

/** Keeps a program going whose output nobody takes: closed, full or broken, it is not the work. */
export function outliveOutput(): void {
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (isAllOutput) endWithout(error);
  });
}

/** Says that what is printed is all that this command is for: it ends where nobody takes that. */
export function endWithOutput(): void {
  isAllOutput = true;
}

function endWithout(error: NodeJS.ErrnoException): never {
  // Whoever read it has seen enough (`vlmo failures --json | head`): nothing is left to do.
  if (error.code === 'EPIPE') process.exit();
  const expected = `stdout to take it, received ${errorMessage(error)}`;
  process.exit(
    reportError(new VlmoError('RESULTS_UNWRITABLE', `Cannot print the output: expected ${expected}`)),
  );
}
