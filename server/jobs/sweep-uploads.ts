import type { OpenIndex } from '#service/contract.ts';
import type { Uploads } from './uploads.ts';

/** Uploaded files go with the last item, or failure, that names them. */
export async function sweepUploads(index: OpenIndex, uploads: Uploads): Promise<void> {
  if (await uploads.isEmpty()) return;
  const inUse = new Set<string>();
  const collections = new Set((await index.generations()).map(({ collection }) => collection));
  for (const collection of collections) {
    for (const target of ['images', 'captions'] as const)
      for await (const { uri } of index.items({ collection, in: target }))
        if (uri.startsWith(uploads.folder)) inUse.add(uri);
    for await (const { uri } of index.failures(collection)) inUse.add(uri);
  }
  await uploads.sweep(inUse);
}
