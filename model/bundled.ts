import { existsSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import packageJson from '#package.json' with { type: 'json' };

/** What an index stores in place of a path: the bundled model is the same one wherever the package lies. */
const BUNDLED = 'bundled:demo';

/** Where the bundled model lies, seen from the package.json next to the code: a clone's, or the one in `dist/`. */
const PLACES = ['models/demo', '../models/demo'];

/** Every model that was ever bundled, oldest first: the first version it came with, and its `fingerprint` by preprocessing. */
const KNOWN = [
  {
    since: '0.1.0',
    fingerprints: [
      'a29fe3e0fe46ebb841559ce307309deb73d4a016c5c2a78331a193f7944e1e98', // fast
      '54c14941a74f31e7babf88248d3da16350499714f72d86f2ac8cbe7a1bcd7566', // reference
    ],
  },
  {
    since: '0.2.0',
    fingerprints: [
      'e1f009858aad9a03e49e25862e5740bf737697bedd3a5e3691d0cd641edca57e', // fast
      '1adde83c6c6467f5b70ff9e233dd23be6d79cb6b874645564728e6d0b176ff61', // reference
    ],
  },
] as const;

export const PACKAGE_VERSION: string = packageJson.version;

/** The folder that a model's name means: of the bundled one for "demo" and what an index stores of it; else the name itself. */
export function modelFolder(name: string): string {
  const isAsked = name === 'demo' && !existsSync('demo/config.json');
  return isAsked || name === BUNDLED ? (bundledFolder() ?? name) : name;
}

/** What an index stores of where a model lies: the absolute path, or that it is the bundled one. */
export function storedPlace(path: string): string {
  return resolve(path) === bundledFolder() ? BUNDLED : resolve(path);
}

interface Made {
  readonly modelPath: string;
  readonly fingerprint: string;
}

/** Whether what an index stores means the bundled model; older versions stored its path, which may be gone. */
export function isBundled({ modelPath, fingerprint }: Made): boolean {
  if (modelPath === BUNDLED) return true;
  const parts = modelPath.replaceAll('\\', '/');
  return (
    basename(parts) === 'demo' &&
    basename(dirname(parts)) === 'models' &&
    sinceVersion(fingerprint) !== undefined
  );
}

/** The first version of this package that came with the model of a fingerprint; undefined for one that is not known. */
export function sinceVersion(fingerprint: string): string | undefined {
  return KNOWN.find(({ fingerprints }) => fingerprints.some((known) => known === fingerprint))?.since;
}

/** Where the model of a generation lies. */
export function placeOf(made: Made): string {
  return isBundled(made) ? modelFolder(BUNDLED) : made.modelPath;
}

function bundledFolder(): string | undefined {
  const from = import.meta.resolve('#package.json');
  return PLACES.map((path) => fileURLToPath(new URL(path, from))).find((path) => existsSync(path));
}
