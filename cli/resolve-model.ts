import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where the bundled model lies, seen from the package.json next to the code: a clone's, or the one in `dist/`. */
const BUNDLED = ['models/demo', '../models/demo'];

/** The model that comes with the package, by the name "demo"; anything else is a folder. */
export function resolveModel(name: string): string {
  if (name !== 'demo' || existsSync('demo/config.json')) return name;
  const packageJson = import.meta.resolve('#package.json');
  const places = BUNDLED.map((path) => fileURLToPath(new URL(path, packageJson)));
  return places.find((path) => existsSync(path)) ?? name;
}
