import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const VITE = fileURLToPath(new URL('../../node_modules/vite/bin/vite.js', import.meta.url));
const SOURCE = join(ROOT, 'web');

/**
 * The folder with the built page: the package and the image have it; in a clone it is built when it is needed first, and
 * again where its source has changed. Throws what the builder says.
 */
export async function providePage(): Promise<string> {
  if (!existsSync(join(SOURCE, 'vite.config.ts'))) return SOURCE;
  if (!existsSync(VITE)) return join(SOURCE, 'dist');
  const name = (await digestOf(SOURCE)).slice(0, 16);
  const built = join(SOURCE, 'dist');
  const mark = join(built, 'built-from');
  const isSame = async (): Promise<boolean> => (await readFile(mark, 'utf8').catch(() => undefined)) === name;
  if (await isSame()) return built;
  // Beside it, since another process may be building too, or serving.
  const own = join(SOURCE, `dist/.${process.pid}`);
  await promisify(execFile)(process.execPath, [VITE, 'build', '--outDir', own, '--logLevel', 'warn', SOURCE]);
  await writeFile(join(own, 'built-from'), name);
  await cp(join(own, 'assets'), join(built, 'assets'), { recursive: true });
  for (const file of ['index.html', 'built-from']) await rename(join(own, file), join(built, file));
  const current = await readdir(join(own, 'assets'));
  for (const file of await readdir(join(built, 'assets')))
    if (!current.includes(file)) await rm(join(built, 'assets', file), { force: true });
  await rm(own, { recursive: true });
  return built;
}

async function digestOf(folder: string): Promise<string> {
  const hash = createHash('sha256');
  for (const path of (await readdir(folder, { recursive: true })).toSorted()) {
    if (path.split('/')[0] === 'dist' || !/\.\w+$/.test(path)) continue;
    hash.update(`${path}\0`).update(await readFile(join(folder, path)));
  }
  return hash.digest('hex');
}
