import { readdirSync, readFileSync } from 'node:fs';

/** The decode processes of a process that live, by their ids; those whose parent is gone are nobody's. */
export function decodersOf(parent = process.pid): number[] {
  return decoders()
    .filter(([, by]) => by === parent)
    .map(([pid]) => pid);
}

/** All decode processes there are, with their parents: [pid, parent]. */
function decoders(): [number, number][] {
  return readdirSync('/proc').flatMap((name) => {
    const status = /^\d+$/.test(name) ? statusOf(name) : undefined;
    if (!status || !/^Name:\s+vlmo decode$/m.test(status) || /^State:\s+[ZX]/m.test(status)) return [];
    return [[Number(name), Number(/^PPid:\s+(\d+)/m.exec(status)?.[1])]];
  });
}

/** What a process has computed; NaN where it is gone. */
export function cpuSeconds(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return Number.NaN;
  }
}

export function isAlive(pid: number): boolean {
  const status = statusOf(String(pid));
  return status !== undefined && !/^State:\s+[ZX]/m.test(status);
}

function statusOf(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return undefined;
  }
}
