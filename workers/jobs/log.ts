import { type Logger, pino } from 'pino';

export type { Logger };

/** Structured lines on stderr: stdout belongs to what a command answers. */
export function createLog(level: string): Logger {
  return pino({ name: 'vlmo', level, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
}
