import { createHash } from 'node:crypto';
import { ALL_OPTIONS } from '#config/options.ts';
import { errorMessage, toErrorData } from '#errors.ts';
import { ODD_FORMATS, wasReadOtherwise } from '#pictures/read-otherwise.ts';
import { readPicture } from '#pictures/read-picture.ts';
import { unpackFor } from '#pictures/unpacked-tar.ts';
import { openIndex } from '#service/open-index.ts';
import type { ImageRecord, Store } from '#store/contract.ts';
import { anyOf } from '#store/filter.ts';
import type { Finding } from '../finding.ts';
import { NamedItems } from './named-items.ts';

/** What two runs of a model over one picture differ by is far less. */
const SAME = 0.995;

/**
 * Looks for vectors of pictures that earlier versions read wrongly: of the formats that this concerns, files are read, and
 * those of the kinds that it concerns embedded again and compared. `onRows` is told of rows as they are read.
 */
export async function checkOddPictures(
  folder: string,
  store: Store,
  onRows: (count: number) => void,
): Promise<Finding> {
  const name = 'odd pictures';
  const wrong = new NamedItems();
  let [compared, unread] = [0, 0];
  let reason = '';
  await using index = await openIndex(folder, { compute: 'thread', device: 'cpu' });
  for (const collection of await store.collections()) {
    const record = await store.activeGeneration(collection);
    if (!record) continue;
    const { images } = await store.tables(record);
    for await (const row of images.scan(anyOf('format', ODD_FORMATS))) {
      onRows(1);
      try {
        await unpackFor(row.uri);
        const bytes = contentOf(row);
        if (!bytes || !wasReadOtherwise(bytes)) continue;
        const [vector] = await index.embed({ collection, image: bytes });
        const stored = await images.vector(row.key);
        compared += 1;
        if (vector && stored && cosine(vector, stored) < SAME)
          wrong.add({ ...row, collection, kind: 'image' });
      } catch (error) {
        unread += 1;
        reason = errorMessage(error);
        // Without the model of the collection there is nothing to compare with.
        if (/^(MODEL|SEARCH_MODEL)_/.test(toErrorData(error, 'INFERENCE_FAILED').code)) break;
      }
    }
  }
  const data = { compared, unread, count: wrong.count, items: wrong.first };
  const left = unread > 0 ? `; ${unread} could not be looked at (${reason})` : '';
  if (wrong.count > 0) {
    const way = `do them again: vlmo index SOURCE --verify --index ${folder}`;
    const detail = `${wrong.count} vectors are of pictures that an earlier version read wrongly (TIFFs of floating point or with extra bands, GIFs smaller than their canvas); ${way}: ${wrong.describe()}${left}`;
    return { name, state: 'faulty', detail, data };
  }
  const detail = `${compared} of kinds that earlier versions read wrongly have the vectors that they should${left}`;
  return { name, state: unread > 0 ? 'note' : 'ok', detail, data };
}

/** The content that was embedded; undefined where the file has changed since: the next run sees that by itself. */
function contentOf({ uri, sha256 }: ImageRecord): Uint8Array<ArrayBuffer> | undefined {
  const bytes = new Uint8Array(readPicture(uri, ALL_OPTIONS.maxImageBytes.default));
  return createHash('sha256').update(bytes).digest('hex') === sha256 ? bytes : undefined;
}

function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
}
