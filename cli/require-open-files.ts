import { readFileSync } from 'node:fs';
import { VlmoError } from '#errors.ts';

/** What a run of two threads and two decode processes has open is 50; below 30, native code ends the process. */
const LEAST = 128;

/**
 * Throws MACHINE_FAILED where this process may have fewer files open than its work needs: native code that is loaded, and
 * threads that start, would end it without a word.
 */
export function requireOpenFiles(): void {
  const most = limit();
  if (most === undefined || most >= LEAST) return;
  const expected = `a machine that lets a process have ${LEAST} files open, received ${most} (ulimit -n)`;
  throw new VlmoError('MACHINE_FAILED', `Cannot run: expected ${expected}`);
}

/** Node has raised it as far as it may be; undefined where there is none, or no Linux. */
function limit(): number | undefined {
  try {
    const found = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return found === undefined ? undefined : Number(found);
  } catch {
    return undefined;
  }
}
