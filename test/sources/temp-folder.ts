import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { BrokenItem, CaptionItem, ImageItem, Item, SourceOptions } from '#sources/item.ts';
import { openSource } from '#sources/open-source.ts';

/** A folder with these files, gone after the test. */
export async function tempFolder(
  test: TestContext,
  files: Readonly<Record<string, string | Uint8Array>> = {},
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sources-'));
  test.after(() => rm(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return folder;
}

export interface Collected {
  readonly items: readonly Item[];
  readonly images: readonly ImageItem[];
  readonly captions: readonly CaptionItem[];
  readonly broken: readonly BrokenItem[];
}

/** All items of a source. */
export async function collect(path: string, options?: SourceOptions): Promise<Collected> {
  const source = await openSource(path, options);
  const items: Item[] = [];
  for await (const item of source.items()) items.push(item);
  return {
    items,
    images: items.filter((item) => item.kind === 'image'),
    captions: items.filter((item) => item.kind === 'caption'),
    broken: items.filter((item) => item.kind === 'broken'),
  };
}

export function ids(items: readonly Item[]): readonly string[] {
  return items.map((item) => item.id);
}

/** The messages of broken items without the part that names the file. */
export function reasons(items: readonly BrokenItem[]): readonly string[] {
  return items.map((item) => item.error.message.replace(/^Cannot read .*?": /, ''));
}
