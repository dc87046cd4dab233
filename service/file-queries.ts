import { extname } from 'node:path';
import { chunks } from '#batches.ts';
import type { ErrorData } from '#errors.ts';
import { pictureValues } from '#model/vlmo/config.ts';
import type { ModelFolder } from '#model/vlmo/folder.ts';
import { type Embedded, embedPictures, embedTexts } from '#pipeline/embed.ts';
import type { QueryStream, RetrievalQuery } from '#search/batch/queries.ts';
import type { CaptionItem, ImageItem, Item } from '#sources/item.ts';
import { openSource } from '#sources/open-source.ts';
import { textLines } from '#sources/text-lines.ts';
import type { Pools } from '#workers/threads/create-pools.ts';

export interface QueryModel {
  readonly model: ModelFolder;
  readonly pools: Pools;
  /** Pictures of one run of the model. */
  readonly batchSize: number;
  /** Called with each text of which the model read the beginning only. */
  readonly onCut?: (id: string) => void;
}

const TEXTS_AT_ONCE = 64;

/**
 * The queries of a file: a text file with one query a line, or whatever `openSource` opens, whose captions and pictures
 * are queries by their ids. Throws what opening the source throws; what cannot be embedded is in the stream.
 */
export async function fileQueries(path: string, model: QueryModel): Promise<QueryStream> {
  const items = extname(path).toLowerCase() === '.txt' ? textLines(path) : (await openSource(path)).items();
  return embedItems(items, model);
}

async function* embedItems(items: AsyncIterable<Item>, model: QueryModel): AsyncGenerator<RetrievalQuery[]> {
  for await (const some of chunks(items, TEXTS_AT_ONCE * model.pools.inference.threads)) {
    const vectors = new Map<Item, Float32Array | ErrorData>();
    await Promise.all([
      embedCaptions(some.filter(isCaption), model, vectors),
      embedImages(some.filter(isImage), model, vectors),
    ]);
    yield some.map((item) => ({
      id: item.id,
      query: item.kind === 'caption' ? item.caption : item.uri,
      vector: item.kind === 'broken' ? item.error : resultOf(vectors, item),
    }));
  }
}

type Vectors = Map<Item, Float32Array | ErrorData>;

async function embedCaptions(captions: readonly CaptionItem[], { pools, onCut }: QueryModel, into: Vectors) {
  await inBatches(captions, TEXTS_AT_ONCE, async (batch) => {
    const texts = batch.map(({ caption }) => caption);
    const embedded = await embedTexts(pools.inference, texts);
    for (const [i, { id }] of batch.entries()) if ('isCut' in (embedded[i] ?? {})) onCut?.(id);
    keep(batch, embedded, into);
  });
}

async function embedImages(
  images: readonly ImageItem[],
  { model, pools, batchSize }: QueryModel,
  into: Vectors,
) {
  const pictureBytes = pictureValues(model.config);
  await inBatches(images, batchSize, async (batch) => {
    const pixels = new SharedArrayBuffer(batch.length * pictureBytes);
    const pictures = batch.map(({ uri }) => ({ uri, storedSha256: null, failedSha256: null }));
    const outcomes = await pools.preprocess.run({ pixels, firstSlot: 0, pictures });
    const ready: ImageItem[] = [];
    outcomes.forEach((outcome, i) => {
      const item = batch[i] as ImageItem;
      if (outcome.kind === 'ready') ready[outcome.slot] = item;
      else if (outcome.kind === 'failed') into.set(item, outcome.error);
    });
    if (ready.length > 0)
      keep(ready, await embedPictures(pools.inference, pixels, ready.length, pictureBytes), into);
  });
}

async function inBatches<T>(all: readonly T[], size: number, work: (batch: readonly T[]) => Promise<void>) {
  const starts = Array.from({ length: Math.ceil(all.length / size) }, (_, i) => i * size);
  await Promise.all(starts.map((start) => work(all.slice(start, start + size))));
}

function keep(items: readonly Item[], embedded: readonly Embedded[], into: Vectors): void {
  items.forEach((item, i) => {
    const result = embedded[i];
    if (result) into.set(item, 'error' in result ? result.error : result.vector);
  });
}

function resultOf(vectors: Vectors, item: Item): Float32Array | ErrorData {
  const vector = vectors.get(item);
  if (vector) return vector;
  throw new Error(`No result for query "${item.id}": this is a bug`);
}

function isCaption(item: Item): item is CaptionItem {
  return item.kind === 'caption';
}

function isImage(item: Item): item is ImageItem {
  return item.kind === 'image';
}
