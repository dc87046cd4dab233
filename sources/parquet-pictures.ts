import { type FileMetaData, parquetSchema } from 'hyparquet';
import { holdsPictures } from './picture-row.ts';

/** A column whose rows are pictures. */
export interface PictureColumn {
  /** Its name in the table. */
  readonly name: string;
  /** Where its bytes are: `image.bytes` of a struct as Hugging Face writes it, or the name. */
  readonly path: string;
}

/** The column with pictures of a table: the one that is named, or the first of a usual name. */
export function pictureColumn(metadata: FileMetaData, named?: string): PictureColumn | undefined {
  for (const { element, children } of parquetSchema(metadata).children) {
    const { name } = element;
    if (!holdsPictures(name, named)) continue;
    const bytes = children.find((child) => child.element.name === 'bytes');
    const leaf = children.length === 0 ? { element, children } : bytes;
    if (!leaf || leaf.children.length > 0 || leaf.element.type !== 'BYTE_ARRAY') continue;
    // Texts are paths.
    const isText = leaf.element.converted_type === 'UTF8' || leaf.element.logical_type?.type === 'STRING';
    if (isText || element.repetition_type === 'REPEATED') continue;
    return { name, path: children.length === 0 ? name : `${name}.bytes` };
  }
  return undefined;
}
