import { outliveOutput } from './output-streams.ts';
import { createProgram } from './program.ts';
import { reportError } from './report-error.ts';

outliveOutput();

try {
  const [, , word] = process.argv;
  // Help shows what other commands take.
  const isHelp = ['help', '--help', '-h'].includes(word ?? '');
  await createProgram(isHelp ? undefined : word).parseAsync();
} catch (error) {
  process.exitCode = reportError(error);
}
