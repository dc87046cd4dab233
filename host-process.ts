import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** A process as another one can know it, on this machine or elsewhere. */
interface HostProcess {
  /** Where its number means something: one boot of one machine, one namespace of process numbers. */
  readonly host: string;
  /** What a person calls the machine. */
  readonly name: string;
  readonly pid: number;
  /** When it started, in ticks of that boot: numbers come again. */
  readonly started: string;
}

/** This process, as a text that `isGone` reads. */
export function describeProcess(): string {
  const { pid } = process;
  return JSON.stringify({ host: host(), name: hostname(), pid, started: startOf(pid) } satisfies HostProcess);
}

/** Whether the process so described has ended for certain: only its own host can tell. */
export function isGone(description: string): boolean {
  if (!isHere(description)) return false;
  const { pid, started } = JSON.parse(description) as HostProcess;
  return hasEnded(pid, started);
}

/** This process, as a part of a file's name that `isTagGone` reads. */
export function processTag(): string {
  return `${process.pid}-${startOf(process.pid) || 0}-${hostDigest()}`;
}

/** As `isGone`; undefined for what is no tag. */
export function isTagGone(tag: string): boolean | undefined {
  const [, pid, started, digest] = /^(\d+)-(\d+)-([0-9a-f]{12})$/.exec(tag) ?? [];
  if (pid === undefined) return undefined;
  return digest === hostDigest() && hasEnded(Number(pid), started === '0' ? '' : (started ?? ''));
}

function hostDigest(): string {
  return createHash('sha256').update(host()).digest('hex').slice(0, 12);
}

function hasEnded(pid: number, started: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
  const now = startOf(pid);
  return now === ENDED || (now !== '' && started !== '' && now !== started);
}

/** Whether the process so described is, or was, one of this host. */
export function isHere(description: string): boolean {
  return (JSON.parse(description) as HostProcess).host === host();
}

/** The machine and its boot, and the namespace in which a process number means one process. */
function host(): string {
  try {
    return `${boot()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    // Not Linux, which has no such namespaces.
    return boot();
  }
}

/** The machine, and when it was started; containers of one machine share it. */
export function boot(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return hostname();
  }
}

const ENDED = 'ended';
/** Fields of /proc/PID/stat behind the name, which may hold spaces: the state is the first, the start the 20th. */
const START_FIELD = 19;

/** When a process of this host started; empty where that cannot be read. */
function startOf(pid: number): string {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return /^[ZX]/.test(fields[0] ?? '') ? ENDED : (fields[START_FIELD] ?? '');
  } catch {
    return '';
  }
}
