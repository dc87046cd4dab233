import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { CaptionRecord, FailureRecord, GenerationSpec, ImageRecord, Store } from '#store/contract.ts';
import { DEFAULT_SOURCE, itemKey } from '#store/item-key.ts';
import { openStore } from '#store/lance/open-store.ts';
import { seededRandom } from '../../fixtures/files.ts';

/** A folder that is gone after the test, once everything that `closeAfter` was given is closed. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'vlmo-store-'));
  const stack = new AsyncDisposableStack();
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  stacks.set(t, stack);
  t.after(() => stack.disposeAsync());
  return folder;
}

/** Closes something before the test's folder goes: node:test runs `after` hooks in the order they were given. */
export function closeAfter<T extends AsyncDisposable>(t: TestContext, resource: T): T {
  return stacks.get(t)?.use(resource) ?? resource;
}

const stacks = new WeakMap<TestContext, AsyncDisposableStack>();

/** A store in a fresh folder, closed after the test. */
export async function temporaryStore(t: TestContext): Promise<Store> {
  const folder = await temporaryFolder(t);
  return closeAfter(t, await openStore(join(folder, 'index'), { create: true }));
}

export function generationSpec(changes: Partial<GenerationSpec> = {}): GenerationSpec {
  return {
    collection: 'default',
    fingerprint: '0123456789abcdef0123456789abcdef',
    modelName: 'tiny',
    modelPath: '/models/tiny',
    preprocess: 'official',
    dimensions: 4,
    ...changes,
  };
}

export function imageRow(id: string, changes: Partial<ImageRecord> = {}): ImageRecord {
  const { source = DEFAULT_SOURCE } = changes;
  return {
    key: itemKey(source, 'image', id),
    source,
    id,
    uri: `file:///${id}`,
    width: 640,
    height: 480,
    bytes: 12_345,
    sha256: 'ab'.repeat(32),
    ...{ stamp: null, described: null },
    format: 'jpeg',
    meta: {},
    indexedAt: new Date('2024-05-06T07:08:09.123Z'),
    run: 'run-1',
    ...changes,
  };
}

export function captionRow(id: string, changes: Partial<CaptionRecord> = {}): CaptionRecord {
  const { source = DEFAULT_SOURCE, imageId = null } = changes;
  return {
    key: itemKey(source, 'caption', id),
    source,
    id,
    uri: 'captions.csv',
    imageSource: imageId === null ? null : source,
    imageId,
    caption: `a caption of ${id}`,
    meta: {},
    indexedAt: new Date('2024-05-06T07:08:09.123Z'),
    run: 'run-1',
    ...changes,
  };
}

export function failureRecord(id: string, changes: Partial<FailureRecord> = {}): FailureRecord {
  const { source = DEFAULT_SOURCE, kind = 'image' } = changes;
  return {
    collection: 'default',
    key: itemKey(source, kind, id),
    kind,
    source,
    id,
    uri: `file:///${id}`,
    code: 'SOURCE_ROW_INVALID',
    message: 'Cannot decode it',
    attempts: 1,
    retriable: false,
    ...{ sha256: null, stamp: null },
    item: null,
    failedAt: new Date('2024-05-06T07:08:09.123Z'),
    run: 'run-1',
    runNumber: null,
    ...changes,
  };
}

/** The keys of pictures of these ids, as `imageRow` makes them. */
export function imageKeys(ids: readonly string[]): string[] {
  return ids.map((id) => itemKey(DEFAULT_SOURCE, 'image', id));
}

/** The keys of captions of these ids, as `captionRow` makes them. */
export function captionKeys(ids: readonly string[]): string[] {
  return ids.map((id) => itemKey(DEFAULT_SOURCE, 'caption', id));
}

/** Vectors of unit length [count, dimensions]. */
export function unitVectors(count: number, dimensions: number, random = seededRandom(1)): Float32Array {
  const vectors = Float32Array.from({ length: count * dimensions }, () => random() - 0.5);
  for (let row = 0; row < count; row++) {
    const vector = vectors.subarray(row * dimensions, (row + 1) * dimensions);
    const length = Math.hypot(...vector);
    for (let i = 0; i < dimensions; i++) vector[i] = (vector[i] as number) / length;
  }
  return vectors;
}
