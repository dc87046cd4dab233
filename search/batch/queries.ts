import type { ErrorData } from '#errors.ts';
import { halfToFloat } from '#float16.ts';
import { storedPicture } from '#model/picture-reader.ts';
import type { GenerationTables, VectorReader } from '#store/contract.ts';
import type { SearchTarget } from '../request.ts';
import type { MatchSubject } from '../rerank/match-subject.ts';

/** One query of many: its vector [D] of unit length, or why it has none. */
export interface RetrievalQuery {
  readonly id: string;
  /** Name of the source of what is stored; null for a query of a file. */
  readonly source: string | null;
  /** Its text, or the place of its picture. */
  readonly query: string;
  readonly vector: Float32Array | ErrorData;
  /** What rows are read with again; undefined for what could not be read itself. */
  readonly subject: MatchSubject | undefined;
}

export type QueryStream = AsyncIterable<readonly RetrievalQuery[]>;

/** All that a collection stores of one kind, as queries. */
export function storedQueries({ images, captions }: GenerationTables, kind: SearchTarget): QueryStream {
  return kind === 'images'
    ? stored(images, (row) => ({
        ...{ id: row.id, source: row.source, query: row.uri },
        subject: { kind: 'image', picture: storedPicture(row) },
      }))
    : stored(captions, ({ id, source, caption }) => ({
        ...{ id, source, query: caption },
        subject: { kind: 'text', text: caption },
      }));
}

async function* stored<Row>(
  table: VectorReader<Row>,
  describe: (row: Row) => Omit<RetrievalQuery, 'vector'>,
): AsyncGenerator<RetrievalQuery[]> {
  for await (const { rows, halves } of table.scanVectors()) {
    const width = halves.length / rows.length;
    yield rows.map((row, i) => ({
      ...describe(row),
      vector: halfToFloat(halves.subarray(i * width, (i + 1) * width)),
    }));
  }
}
