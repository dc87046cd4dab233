import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { cudaLibrary, onnxruntimeFolder } from './gpu-facts.ts';

/** In words, that CUDA's library lies there and is of another onnxruntime than the one that runs; undefined where it is not. */
export function otherCudaVersion(library = cudaLibrary()): string | undefined {
  if (!existsSync(library)) return undefined;
  const found = versionsIn(library);
  const own = ownVersion();
  if (found.length === 0 || found.includes(own)) return undefined;
  return `"${library}" of onnxruntime ${found.join(' or ')}, which onnxruntime ${own} does not load`;
}

export function ownVersion(): string {
  const text = readFileSync(join(onnxruntimeFolder(), 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** As onnxruntime's own libraries have it, a text by itself; those of older years are of what it is made of. */
const VERSION = /\0(1\.(?:1[5-9]|[2-9]\d)\.\d{1,2})\0/g;
const CHUNK_BYTES = 4 * 1024 * 1024;
/** A version may lie across two chunks. */
const OVERLAP_BYTES = 16;

/** The versions of onnxruntime that a library names, in their order; some 200 MB are read in a moment. */
export function versionsIn(path: string): string[] {
  const file = openSync(path, 'r');
  try {
    const found = new Set<string>();
    const bytes = Buffer.alloc(CHUNK_BYTES);
    for (let at = 0; ; at += CHUNK_BYTES - OVERLAP_BYTES) {
      const read = readSync(file, bytes, 0, CHUNK_BYTES, at);
      for (const [, version = ''] of bytes.toString('latin1', 0, read).matchAll(VERSION)) found.add(version);
      if (read < CHUNK_BYTES) return [...found];
    }
  } finally {
    closeSync(file);
  }
}
