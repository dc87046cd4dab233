import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeParquet } from '#parquet.ts';

/** Bytes of a `.npy` file as numpy writes them: header of version 1, padded to 64. */
export function npyBytes(descr: string, shape: readonly number[], data: Uint8Array, fortran = false): Buffer {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const order = fortran ? 'True' : 'False';
  const text = `{'descr': ${descr.startsWith('[') ? descr : `'${descr}'`}, 'fortran_order': ${order}, 'shape': (${sizes}), }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64;
  const header = Buffer.alloc(length, ' ');
  header.write('\x93NUMPY\x01\x00', 'latin1');
  header.writeUInt16LE(length - 10, 8);
  header.write(text, 10, 'latin1');
  header.write('\n', length - 1);
  return Buffer.concat([header, data]);
}

function float32Npy(rows: readonly (readonly number[])[]): Buffer {
  const values = Float32Array.from(rows.flat());
  return npyBytes('<f4', [rows.length, rows[0]?.length ?? 0], Buffer.from(values.buffer));
}

export interface MadePart {
  readonly name: string;
  readonly images: readonly (readonly number[])[];
  readonly texts?: readonly (readonly number[])[];
  readonly paths?: readonly string[];
}

/** A folder in clip-retrieval's layout, of float32. */
export async function writeVectorFolder(folder: string, parts: readonly MadePart[]): Promise<void> {
  for (const kind of ['img_emb', 'text_emb', 'metadata'])
    await mkdir(join(folder, kind), { recursive: true });
  for (const { name, images, texts = images, paths } of parts) {
    await writeFile(join(folder, `img_emb/img_emb_${name}.npy`), float32Npy(images));
    await writeFile(join(folder, `text_emb/text_emb_${name}.npy`), float32Npy(texts));
    const rows = images.map((_, i) => ({
      image_path: paths?.[i] ?? `${name}-${i}.jpg`,
      caption: `text ${name}-${i}`,
    }));
    const columns = { image_path: 'STRING', caption: 'STRING' } as const;
    await writeParquet(join(folder, `metadata/metadata_${name}.parquet`), columns, rows);
  }
}
