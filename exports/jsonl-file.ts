import { open } from 'node:fs/promises';
import { HALF_VALUES } from '#float16.ts';
import type { Column } from './columns.ts';
import type { OutputFile } from './output-file.ts';

/** Rows as JSON, one a line; numbers of vectors as short as they still are the same float16 number. */
export async function createJsonlOutput(
  path: string,
  columns: readonly Column[],
  vectors: readonly string[],
): Promise<OutputFile> {
  const file = await open(path, 'w');
  return {
    async write({ rows, vectors: halves }) {
      const lines = rows.map((row, i) => {
        const cells = columns.map(({ name, value }) => [name, value(row as never)] as const);
        const text = JSON.stringify(Object.fromEntries(cells)).slice(0, -1);
        const lists = vectors.map((name) => {
          const all = halves[name] as Uint16Array;
          const width = all.length / rows.length;
          return `,${JSON.stringify(name)}:${listText(all.subarray(i * width, (i + 1) * width))}`;
        });
        return `${text}${lists.join('')}}\n`;
      });
      await file.appendFile(lines.join(''));
    },
    end: () => file.close(),
  };
}

function listText(halves: Uint16Array): string {
  halfTexts ??= Array.from(HALF_VALUES, (value) => String(Number(value.toPrecision(HALF_DIGITS))));
  const texts = halfTexts;
  return `[${Array.from(halves, (bits) => texts[bits]).join(',')}]`;
}

/** So many tell any two float16 numbers apart. */
const HALF_DIGITS = 5;
/** The text of each of the 65,536 float16 numbers, by its bits. */
let halfTexts: string[] | undefined;
