import { readFile, writeFile } from 'node:fs/promises';
import { withLock } from '#lock-file.ts';

/** Adds one to the number in a file, so many times, each time under the lock. Or takes the lock and keeps it. */
const [lock = '', file = '', times = '0'] = process.argv.slice(2);
if (file === '') {
  await withLock(lock, async () => {
    console.log('taken');
    await new Promise(() => setInterval(() => undefined, 1000));
  });
}
for (let time = 0; time < Number(times); time++) {
  await withLock(lock, async () => {
    const before = Number(await readFile(file, 'utf8'));
    await writeFile(file, String(before + 1));
  });
}
