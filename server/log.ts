import { type DestinationStream, type Logger, pino } from 'pino';
import type { Config } from '#config/options.ts';

/** A line of the log as pino writes it. */
interface LogLine {
  readonly time: string;
  readonly level: number;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

/** The log of a server on stderr: JSON lines for machines, plain ones for people. */
export function createServerLog({ logFormat, logLevel }: Config<'logFormat' | 'logLevel'>): Logger {
  const isText = logFormat === 'text' || (logFormat === 'auto' && process.stderr.isTTY === true);
  const options = { name: 'vlmo', level: logLevel, timestamp: pino.stdTimeFunctions.isoTime };
  return isText ? pino(options, textLines) : pino(options, pino.destination(2));
}

const textLines: DestinationStream = {
  write(line: string): void {
    process.stderr.write(`${toText(JSON.parse(line) as LogLine)}\n`);
  },
};

/** `12:00:01 warn failed reqId=… status=500`. */
export function toText({
  time,
  level,
  msg = '',
  name: _,
  pid: __,
  hostname: ___,
  ...fields
}: LogLine): string {
  const word = pino.levels.labels[level] ?? String(level);
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${shown(value)}`);
  return [time.slice(11, 19), word, msg, ...rest].join(' ');
}

/** Names and messages may hold anything: in quotes, control characters are escaped. */
function shown(value: unknown): string {
  return typeof value === 'string' && /^[\w./:-]+$/.test(value) ? value : JSON.stringify(value);
}
