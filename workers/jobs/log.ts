import { type Logger, pino } from 'pino';
import { createLogOutput } from './log-output.ts';

export type { Logger };

/** Structured lines on stderr: stdout belongs to what a command answers. */
export function createLog(level: string): Logger {
  return pino({ name: 'vlmo', level, timestamp: pino.stdTimeFunctions.isoTime }, createLogOutput());
}
