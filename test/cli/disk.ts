import { execFileSync } from 'node:child_process';

/** A disk of its own for a test; undefined where this process may not mount one. */
export function mountDisk(place: string, size: string): Disposable | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', place], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  return { [Symbol.dispose]: () => void execFileSync('umount', [place]) };
}

/** Changes a disk that `mountDisk` made: `size=64m`, `ro`, `rw`. */
export function remount(place: string, options: string): void {
  execFileSync('mount', ['-o', `remount,${options}`, place]);
}
