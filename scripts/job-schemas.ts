import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { chunkJobSchema, queryJobSchema, retrievalJobSchema } from '#queue/job.ts';

/**
 * The JSON Schemas of docs/jobs.md, as queue/job.ts has them: what a program in another language may write. Run as a
 * program it puts them in their places, the first code block below each of the headings.
 */

const DOC = fileURLToPath(new URL('../docs/jobs.md', import.meta.url));
const WIDTH = 110;

/** By the headings they stand under. What zod checks in functions has no place in a JSON Schema: the text says it. */
export function jobSchemas(): ReadonlyMap<string, object> {
  return new Map<string, object>([
    ['Schema of a chunk job', z.toJSONSchema(chunkJobSchema, { io: 'input' })],
    ['Schema of a query job', z.toJSONSchema(queryJobSchema, { io: 'input' })],
    ['Schema of a retrieval job', z.toJSONSchema(retrievalJobSchema, { io: 'input' })],
  ]);
}

/** The doc with the schemas in it. */
export function withSchemas(doc: string, schemas: ReadonlyMap<string, object>): string {
  let filled = doc;
  for (const [heading, schema] of schemas) {
    const place = new RegExp(`(\n#+ ${heading}\n[^\`]*\`\`\`json\n)[^\`]*(\`\`\`\n)`);
    if (!place.test(filled)) throw new Error(`docs/jobs.md has no block of JSON below "${heading}"`);
    filled = filled.replace(
      place,
      (_, before: string, after: string) => `${before}${print(schema)}\n${after}`,
    );
  }
  return filled;
}

/** JSON with everything on one line that fits, as the formatter of this project has it. */
function print(value: unknown, indent = '', used = 0): string {
  const line = spaced(value);
  if (indent.length + used + line.length <= WIDTH || typeof value !== 'object' || value === null) return line;
  const inner = `${indent}  `;
  const lines = Array.isArray(value)
    ? value.map((one) => inner + print(one, inner))
    : Object.entries(value).map(([key, one]) => {
        const name = `${inner}${JSON.stringify(key)}: `;
        return name + print(one, inner, name.length - inner.length);
      });
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  return `${open}\n${lines.join(',\n')}\n${indent}${close}`;
}

/** On one line, with spaces as people write them. */
function spaced(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}: ${spaced(one)}`);
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
}

if (import.meta.main) await writeFile(DOC, withSchemas(await readFile(DOC, 'utf8'), jobSchemas()));
