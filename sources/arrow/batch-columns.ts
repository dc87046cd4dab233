import type { FileHandle } from 'node:fs/promises';
import { type Data, DataType, type Field, MetadataVersion, type Schema, type Vector } from 'apache-arrow';
import { BufferRegion, type RecordBatch } from 'apache-arrow/ipc/metadata/message';
import { VectorLoader } from 'apache-arrow/visitor/vectorloader';
import { holdsPictures } from '../picture-row.ts';
import { readAt } from './messages.ts';

/** The column with pictures of a table. */
export interface PictureField {
  readonly name: string;
  /** Which column it is. */
  readonly column: number;
  /** Which of its children holds the bytes, where it is a struct. */
  readonly child: number | undefined;
  /** Which of a batch's buffers holds the bytes. */
  readonly buffer: number;
}

/** The one that is named, or the first of bytes with a usual name; a struct with `bytes` counts, as Hugging Face writes it. */
export function pictureField({ fields }: Schema, named: string | undefined): PictureField | undefined {
  let before = 0;
  for (const [column, field] of fields.entries()) {
    const { name, type } = field;
    const children: readonly Field[] = DataType.isStruct(type) ? type.children : [];
    const child = children.findIndex((one) => one.name === 'bytes' && isBytes(one.type));
    if (holdsPictures(name, named) && (isBytes(type) || child >= 0)) {
      const inner =
        child < 0 ? 0 : 1 + children.slice(0, child).reduce((sum, one) => sum + buffersOf(one.type), 0);
      return { name, column, child: child < 0 ? undefined : child, buffer: before + inner + 2 };
    }
    before += buffersOf(type);
  }
  return undefined;
}

function isBytes(type: DataType): boolean {
  return DataType.isBinary(type) || DataType.isLargeBinary(type);
}

/** Buffers that a column of a type has in a batch, its children's too. */
function buffersOf(type: DataType): number {
  const inner = (type.children ?? []).reduce((sum: number, child: Field) => sum + buffersOf(child.type), 0);
  if (DataType.isNull(type)) return 0;
  if (DataType.isStruct(type) || DataType.isFixedSizeList(type)) return 1 + inner;
  if (isBytes(type) || DataType.isUtf8(type) || DataType.isLargeUtf8(type)) return 3;
  if (DataType.isUnion(type)) throw new Error('one with a union, which is not read');
  return 2 + inner;
}

/** The columns of a batch whose body begins at `offset`; the bytes of its pictures are left where they are. */
export async function readColumns(
  file: FileHandle,
  schema: Schema,
  batch: RecordBatch,
  offset: number,
  skipped: number | undefined,
  dictionaries: Map<number, Vector>,
): Promise<Data[]> {
  const regions: BufferRegion[] = [];
  const parts: Buffer[] = [];
  let at = 0;
  for (const [index, { offset: from, length }] of batch.buffers.entries()) {
    const kept = index === skipped ? 0 : length;
    regions.push(new BufferRegion(at, kept));
    const padded = Math.ceil(kept / 8) * 8;
    const part = Buffer.alloc(padded);
    if (kept > 0) (await readAt(file, offset + from, kept)).copy(part);
    parts.push(part);
    at += padded;
  }
  // A copy begins where its buffer does, as numbers of 8 bytes ask.
  const body = new Uint8Array(at);
  let to = 0;
  for (const part of parts) {
    body.set(part, to);
    to += part.length;
  }
  const loader = new VectorLoader(body, batch.nodes, regions, dictionaries, MetadataVersion.V5);
  return loader.visitMany([...schema.fields]);
}
