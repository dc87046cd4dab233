import { outliveOutput } from './output-streams.ts';
import { createProgram } from './program.ts';
import { reportError } from './report-error.ts';

outliveOutput();

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = reportError(error);
}
