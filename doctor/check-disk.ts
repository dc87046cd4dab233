import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, resolve } from 'node:path';
import type { Finding } from './finding.ts';

const MB = 1e6;
/** Less than this, and the next run ends on a full disk. */
const BROKEN_BYTES = 100 * MB;
/** A generation of a million pictures takes some gigabytes. */
const LITTLE_BYTES = 2000 * MB;
/** Float16 weights are widened there: 4 bytes a parameter of the largest model. */
const SHARED_MEMORY = '/dev/shm';
const SHARED_BYTES = 2500 * MB;

/** Free space where the index lies (or here), for temporary files, and in shared memory. */
export async function checkDisk(index: string | undefined): Promise<Finding[]> {
  const places = [
    [index === undefined ? 'this folder' : 'index', await existing(resolve(index ?? '.'))],
    ['temporary files', tmpdir()],
  ] as const;
  const findings: Finding[] = [];
  for (const [what, path] of places) findings.push(await checkFolder(what, path));
  return [...findings, await checkSharedMemory()];
}

async function checkFolder(what: string, path: string): Promise<Finding> {
  const name = 'disk';
  const free = await freeBytes(path);
  if (free === undefined) return { name, state: 'broken', detail: `${what}: "${path}" cannot be looked at` };
  const state = free < BROKEN_BYTES ? 'broken' : free < LITTLE_BYTES ? 'note' : 'ok';
  const hint = state === 'ok' ? '' : '; make room';
  return { name, state, detail: `${what}: ${size(free)} free in "${path}"${hint}`, data: { path, free } };
}

async function checkSharedMemory(): Promise<Finding> {
  const name = 'disk';
  const free = await freeBytes(SHARED_MEMORY);
  const data = { path: SHARED_MEMORY, free: free ?? 0 };
  if (free !== undefined && free >= SHARED_BYTES)
    return { name, state: 'ok', detail: `shared memory: ${size(free)} free in ${SHARED_MEMORY}`, data };
  const found =
    free === undefined ? `there is no ${SHARED_MEMORY}` : `only ${size(free)} free in ${SHARED_MEMORY}`;
  const detail = `shared memory: ${found}; float16 models whose weights do not fit take temporary files instead (in a container: --shm-size=4g)`;
  return { name, state: 'note', detail, data };
}

async function freeBytes(path: string): Promise<number | undefined> {
  return statfs(path).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => undefined,
  );
}

/** The folder itself, or the nearest one above it that is there. */
async function existing(path: string): Promise<string> {
  if (path === dirname(path) || (await freeBytes(path)) !== undefined) return path;
  return existing(dirname(path));
}

function size(bytes: number): string {
  return bytes < 10_000 * MB ? `${Math.round(bytes / MB)} MB` : `${Math.round(bytes / 1e9)} GB`;
}
