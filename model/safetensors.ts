import { open } from 'node:fs/promises';
import { z } from 'zod';
import { errorMessage, VlmoError } from '#errors.ts';

/**
 * The safetensors file format (https://github.com/huggingface/safetensors):
 *
 *     [ header length, uint64 ][ JSON header, padded with spaces ][ tensors, one after the other ]
 */

const LENGTH_BYTES = 8;
/** Tensors begin on this boundary, so that they can be used where they are mapped. */
const ALIGNMENT = 64;
const MAX_HEADER_BYTES = 16 * 1024 * 1024;

const tensorSchema = z.object({
  dtype: z.enum(['F32', 'F16']),
  shape: z.array(z.int().nonnegative()),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});
/** 0, 1, 2 … as integers, which older versions of Hugging Face's library wrote among the weights. */
const POSITIONS = /(^|\.)position_ids$/;
const ELEMENT_BYTES = { F32: 4, F16: 2 } as const;

/** Where one tensor lies in a file. */
export interface TensorPlace {
  readonly dtype: 'F32' | 'F16';
  readonly shape: readonly number[];
  /** Byte position in the file. */
  readonly offset: number;
  readonly length: number;
}

/** What a tensor to be written is; its place follows from the order. */
export type TensorSpec = Pick<TensorPlace, 'dtype' | 'shape'>;

/** The header of a file with these tensors in this order, and where each will lie. */
export function layOutSafetensors(specs: ReadonlyMap<string, TensorSpec>): {
  readonly header: Uint8Array;
  readonly places: ReadonlyMap<string, TensorPlace>;
} {
  const entries: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  const relative: [string, TensorPlace][] = [];
  let end = 0;
  for (const [name, { dtype, shape }] of specs) {
    const length = tensorBytes({ dtype, shape });
    entries[name] = { dtype, shape, data_offsets: [end, end + length] };
    relative.push([name, { dtype, shape, offset: end, length }]);
    end += length;
  }
  const json = Buffer.from(JSON.stringify(entries));
  const start = Math.ceil((LENGTH_BYTES + json.length) / ALIGNMENT) * ALIGNMENT;
  const header = Buffer.alloc(start, ' ');
  header.writeBigUInt64LE(BigInt(start - LENGTH_BYTES));
  json.copy(header, LENGTH_BYTES);
  return {
    header,
    places: new Map(relative.map(([name, place]) => [name, { ...place, offset: start + place.offset }])),
  };
}

/** Size of a tensor in bytes. */
export function tensorBytes({ dtype, shape }: TensorSpec): number {
  return shape.reduce((product, size) => product * size, ELEMENT_BYTES[dtype]);
}

/** Reads where each tensor of a file lies; numbers of positions are left out. Throws MODEL_INVALID for a file that is not what it says. */
export async function readSafetensorsHeader(path: string): Promise<ReadonlyMap<string, TensorPlace>> {
  const invalid = (expected: string, received: string, cause?: unknown): VlmoError =>
    new VlmoError(
      'MODEL_INVALID',
      `Cannot read weights "${path}": expected ${expected}, received ${received}`,
      { cause },
    );
  await using file = await open(path).catch((error: unknown) => {
    throw invalid('a file that can be opened', errorMessage(error), error);
  });
  const { size } = await file.stat();
  const head = Buffer.alloc(LENGTH_BYTES);
  if (size < LENGTH_BYTES) throw invalid('a safetensors file', `${size} bytes`);
  await file.read(head, 0, LENGTH_BYTES, 0);
  const length = Number(head.readBigUInt64LE());
  if (length > MAX_HEADER_BYTES || length > size - LENGTH_BYTES) {
    throw invalid(`a header of at most ${Math.min(MAX_HEADER_BYTES, size)} bytes`, `one of ${length} bytes`);
  }
  const json = Buffer.alloc(length);
  await file.read(json, 0, length, LENGTH_BYTES);
  const start = LENGTH_BYTES + length;
  const places = new Map(
    parseHeader(json, invalid).map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => {
        if (to - from !== tensorBytes({ dtype, shape }) || start + to > size) {
          throw invalid(
            `tensor "${name}" of ${tensorBytes({ dtype, shape })} bytes inside the file`,
            `bytes ${from} to ${to}`,
          );
        }
        return [name, { dtype, shape, offset: start + from, length: to - from }];
      },
    ),
  );
  let end = start;
  for (const [name, { offset, length }] of [...places].sort(([, a], [, b]) => a.offset - b.offset)) {
    if (offset < end && length > 0)
      throw invalid(`tensor "${name}" apart from all others`, 'one that overlaps another');
    end = Math.max(end, offset + length);
  }
  return places;
}

function parseHeader(
  json: Buffer,
  invalid: (expected: string, received: string, cause?: unknown) => VlmoError,
): [string, z.infer<typeof tensorSchema>][] {
  let header: unknown;
  try {
    header = JSON.parse(json.toString());
  } catch (error) {
    throw invalid('a JSON header', 'something else', error);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw invalid('a JSON object as header', 'something else');
  }
  return Object.entries(header)
    .filter(([name]) => name !== '__metadata__' && !POSITIONS.test(name))
    .map(([name, entry]) => {
      const tensor = tensorSchema.safeParse(entry);
      if (!tensor.success)
        throw invalid(`tensor "${name}" in F32 or F16 with its place`, JSON.stringify(entry));
      return [name, tensor.data];
    });
}
