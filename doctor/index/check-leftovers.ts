import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from '../finding.ts';

/** What is left of processes that were killed is as old as this; younger, somebody may be at work with it. */
const OLD_MS = 60 * 60_000;

/** Names of files and folders, relative to the index, that processes make and take away again. */
const SCRATCH: Readonly<Record<string, RegExp>> = {
  '.': /^\.(vlmo-index\.json\.[0-9a-f]{32}|vlmo-doctor-.*|migration\.lock(\.turn)?)$/,
  workers: /./,
  results: /\.parts$/,
};

/** What processes that were killed have left in an index, and tables that belong to nothing: no harm, but they take room. */
export async function checkLeftovers(index: string, strayTables: readonly string[]): Promise<Finding> {
  const found = strayTables.map((name) => join('lance', `${name}.lance`));
  for (const [folder, pattern] of Object.entries(SCRATCH)) {
    for (const name of await readdir(join(index, folder)).catch(() => [])) {
      const path = join(folder, name);
      const age =
        Date.now() - ((await stat(join(index, path)).catch(() => undefined))?.mtimeMs ?? Date.now());
      if (pattern.test(name) && age > OLD_MS) found.push(path);
    }
  }
  found.sort();
  const data = { left: found };
  if (found.length === 0)
    return { name: 'leftovers', state: 'ok', detail: 'nothing is left of killed processes', data };
  const named = found.slice(0, 5).map((path) => `"${path}"`);
  const more = found.length > 5 ? ` and ${found.length - 5} more` : '';
  const detail = `${named.join(', ')}${more} belong to nothing that is at work; delete them to make room`;
  return { name: 'leftovers', state: 'note', detail, data };
}
