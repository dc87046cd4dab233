import { extname } from 'node:path';
import { chunks, cut } from '#batches.ts';
import { type ErrorData, toErrorData } from '#errors.ts';
import { isolateFailures } from '#isolate-failures.ts';
import type { Encoder } from '#model/encoder.ts';
import type { QueryStream, RetrievalQuery } from '#search/batch/queries.ts';
import type { MatchSubject } from '#search/rerank/match-subject.ts';
import type { CaptionItem, ImageItem, Item } from '#sources/item.ts';
import { openSource } from '#sources/open-source.ts';
import { textLines } from '#sources/text-lines.ts';

const TEXTS_AT_ONCE = 64;
const BULK = { priority: 'bulk' } as const;

/** Called with each text that is longer than the model reads, by its id. */
type OnCut = (id: string) => void;

/**
 * The queries of a file: a text file with one query a line, or whatever `openSource` opens, whose captions and pictures
 * are queries by their ids. Throws what opening the source throws; what cannot be embedded is in the stream.
 */
export async function fileQueries(path: string, encoder: Encoder, onCut?: OnCut): Promise<QueryStream> {
  const items = extname(path).toLowerCase() === '.txt' ? textLines(path) : (await openSource(path)).items();
  return embedItems(items, encoder, onCut);
}

async function* embedItems(
  items: AsyncIterable<Item>,
  encoder: Encoder,
  onCut: OnCut | undefined,
): AsyncGenerator<RetrievalQuery[]> {
  for await (const some of chunks(items, TEXTS_AT_ONCE * encoder.threads)) {
    const captions = some.filter((item) => item.kind === 'caption');
    const images = some.filter((item) => item.kind === 'image');
    const [texts, pictures] = await Promise.all([
      embedCaptions(encoder, captions, onCut),
      encoder.embedPictures(
        images.map(({ uri }) => uri),
        BULK,
      ),
    ]);
    const vectors = new Map<Item, Float32Array | ErrorData>();
    captions.forEach((item: CaptionItem, i) => {
      vectors.set(item, texts[i] as Float32Array | ErrorData);
    });
    images.forEach((item: ImageItem, i) => {
      vectors.set(item, pictures[i] as Float32Array | ErrorData);
    });
    yield some.map((item) => ({
      id: item.id,
      source: null,
      query: item.kind === 'caption' ? item.caption : item.uri,
      vector: item.kind === 'broken' ? item.error : (vectors.get(item) as Float32Array | ErrorData),
      subject: subjectOf(item),
    }));
  }
}

function subjectOf(item: Item): MatchSubject | undefined {
  if (item.kind === 'broken') return undefined;
  return item.kind === 'caption'
    ? { kind: 'text', text: item.caption }
    : { kind: 'image', picture: item.uri };
}

async function embedCaptions(
  encoder: Encoder,
  captions: readonly CaptionItem[],
  onCut: OnCut | undefined,
): Promise<(Float32Array | ErrorData)[]> {
  const run = async (some: readonly CaptionItem[]): Promise<(Float32Array | ErrorData)[]> => {
    const texts = some.map(({ caption }) => caption);
    const tell = (places: readonly number[]): void => {
      for (const i of places) onCut?.(some[i]?.id ?? '');
    };
    const vectors = await encoder.embedTexts(texts, { ...BULK, onCut: tell });
    const width = vectors.length / some.length;
    return some.map((_, i) => vectors.subarray(i * width, (i + 1) * width));
  };
  const failed = (_: CaptionItem, error: unknown): ErrorData => toErrorData(error, 'INFERENCE_FAILED');
  const batches = cut(captions, TEXTS_AT_ONCE).map((batch) => isolateFailures(batch, run, failed));
  return (await Promise.all(batches)).flat();
}
