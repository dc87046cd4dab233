import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The model that comes with the package, by the name "demo"; anything else is a folder. */
export function resolveModel(name: string): string {
  if (name !== 'demo' || existsSync('demo/config.json')) return name;
  return fileURLToPath(new URL(import.meta.resolve('#models/demo')));
}
