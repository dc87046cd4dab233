import { createProgram } from './program.ts';
import { reportError } from './report-error.ts';

// Whoever read the output has seen enough (`vlmo failures --json | head`): nothing is left to do.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = reportError(error);
}
