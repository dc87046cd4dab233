import type { TarEntry } from './entries.ts';

export type TarFile = Extract<TarEntry, { readonly kind: 'file' }>;

export interface SampleFile extends TarFile {
  /** What stands behind the first dot of its name, in lower case. */
  readonly extension: string;
}

/** Files side by side whose names agree up to the first dot, as WebDataset has it. */
export interface Sample {
  readonly key: string;
  readonly files: readonly SampleFile[];
}

const NAME = /^((?:.*\/|)[^.]+)[.]([^/]*)$/s;
/** What WebDataset keeps for itself. */
const META = /^__[^/]*__(\/|$)/;

/** Files of one sample at most; a longer one is cut in two. */
const MAX_FILES = 1000;

/** Why an entry belongs to no sample; undefined where it does. */
export function notInSample(name: string): 'system' | 'hidden' | 'other_type' | undefined {
  if (META.test(name)) return 'system';
  if (/(^|\/)\.(?!\.?\/)[^/]*$/.test(name)) return 'hidden';
  return NAME.test(withoutDot(name)) ? undefined : 'other_type';
}

/** Groups files as they come. What is no file, or of no sample, goes through as it is, behind the sample before it. */
export async function* toSamples(
  entries: AsyncIterable<TarEntry>,
): AsyncGenerator<Sample | TarEntry, void, void> {
  let open: { readonly key: string; readonly files: SampleFile[] } | undefined;
  for await (const entry of entries) {
    if (entry.kind !== 'file') {
      yield entry;
      continue;
    }
    const [, key, extension] = NAME.exec(withoutDot(entry.name)) ?? [];
    if (notInSample(entry.name) !== undefined || key === undefined || extension === undefined) {
      yield entry;
      continue;
    }
    if (open && (open.key !== key || open.files.length >= MAX_FILES)) {
      yield open;
      open = undefined;
    }
    open ??= { key, files: [] };
    open.files.push({ ...entry, extension: extension.toLowerCase() });
  }
  if (open) yield open;
}

/** `./a.jpg` is `a.jpg`. */
function withoutDot(name: string): string {
  return name.replace(/^(\.\/)+/, '');
}
