import { constants, fstatSync, openSync, writeSync } from 'node:fs';

/** What waits for a reader at most; lines beyond it are dropped. */
const MOST_BYTES = 2 ** 20;
const AGAIN_MS = 100;

/** Takes lines of the log. It never throws and never waits: the log is not the work. */
export interface LogOutput {
  write(line: string): void;
}

/**
 * The log's way out of the process. What cannot be written is dropped: stderr may be closed, broken or on a full disk. A
 * pipe that nobody reads for the moment gets its lines later, a MiB of them at most.
 */
export function createLogOutput(stderr = 2): LogOutput {
  const file = withoutWaiting(stderr);
  let pending = Buffer.alloc(0);
  let dropped = 0;
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    timer = undefined;
    try {
      while (pending.length > 0) pending = pending.subarray(writeSync(file, pending));
      if (dropped === 0) return;
      pending = Buffer.from(
        `${JSON.stringify({ level: 40, name: 'vlmo', msg: `${dropped} lines of the log were dropped: nobody read them` })}\n`,
      );
      dropped = 0;
      flush();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') timer ??= setTimeout(flush, AGAIN_MS).unref();
      else pending = Buffer.alloc(0);
    }
  }

  return {
    write(line) {
      const bytes = Buffer.from(line);
      if (pending.length + bytes.length > MOST_BYTES) dropped += 1;
      else pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes]);
      if (timer === undefined) flush();
    },
  };
}

/** A pipe opened anew, so that its full buffer is an error and not a wait; the flags of the old one are its other users' too. */
function withoutWaiting(stderr: number): number {
  try {
    if (!fstatSync(stderr).isFIFO()) return stderr;
    return openSync(`/proc/self/fd/${stderr}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return stderr;
  }
}
