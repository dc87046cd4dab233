import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface TokenCacheOptions {
  /** Bytes of one picture's tokens. */
  readonly bytesEach: number;
  /** Memory that it may take; the pictures not asked for longest go first. */
  readonly maxBytes: number;
  /** What made them keeps them apart: the fingerprint of the model. */
  readonly fingerprint: string;
  /** Where they are written too; left out, they end with the process. */
  readonly folder?: string | undefined;
  /** Told once why nothing can be written there. */
  readonly note?: ((line: string) => void) | undefined;
}

/** Before the digest of the values: which form the file has. */
const FORM = Buffer.from('vlmotok1');
const DIGEST_BYTES = 32;
const SHA256 = /^[0-9a-f]{64}$/;

/** What a model made of pictures, by the SHA-256 of their content: in memory, and in a folder where one is given. */
export class TokenCache {
  readonly #options: TokenCacheOptions;
  /** The one asked for last at the end. */
  readonly #kept = new Map<string, SharedArrayBuffer>();
  #isTold = false;

  constructor(options: TokenCacheOptions) {
    this.#options = options;
  }

  /** Bytes of what is in memory. */
  get bytes(): number {
    return this.#kept.size * this.#options.bytesEach;
  }

  /** Of what is in memory. */
  get(sha256: string): SharedArrayBuffer | undefined {
    const tokens = this.#kept.get(sha256);
    if (tokens) this.#put(sha256, tokens);
    return tokens;
  }

  /** Of what is in the folder; a file that is damaged is none. */
  async load(sha256: string): Promise<SharedArrayBuffer | undefined> {
    const path = this.#pathOf(sha256);
    const bytes = path === undefined ? undefined : await readFile(path).catch(() => undefined);
    if (bytes?.length !== FORM.length + DIGEST_BYTES + this.#options.bytesEach) return undefined;
    const values = bytes.subarray(FORM.length + DIGEST_BYTES);
    const head = Buffer.concat([FORM, digest(values)]);
    if (!head.equals(bytes.subarray(0, head.length))) return undefined;
    const tokens = new SharedArrayBuffer(values.length);
    new Uint8Array(tokens).set(values);
    this.#put(sha256, tokens);
    return tokens;
  }

  /** Keeps them in memory, and in the folder; where that cannot be written, they are computed anew another time. */
  async keep(sha256: string, tokens: SharedArrayBuffer): Promise<void> {
    this.#put(sha256, tokens);
    const path = this.#pathOf(sha256);
    if (path === undefined) return;
    await write(path, new Uint8Array(tokens)).catch((error: Error) => {
      if (!this.#isTold)
        this.#options.note?.(
          `What is made of pictures cannot be kept in "${this.#options.folder}": ${error.message}`,
        );
      this.#isTold = true;
    });
  }

  #put(sha256: string, tokens: SharedArrayBuffer): void {
    this.#kept.delete(sha256);
    this.#kept.set(sha256, tokens);
    for (const oldest of this.#kept.keys()) {
      if (this.bytes <= this.#options.maxBytes) return;
      this.#kept.delete(oldest);
    }
  }

  #pathOf(sha256: string): string | undefined {
    const { folder, fingerprint } = this.#options;
    // It comes out of a store that others may have written.
    if (folder === undefined || !SHA256.test(sha256)) return undefined;
    return join(folder, fingerprint.slice(0, 16), sha256.slice(0, 2), `${sha256}.tokens`);
  }
}

/** Whole or not at all. */
async function write(path: string, values: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${randomUUID()}`;
  try {
    await writeFile(partial, [FORM, digest(values), values]);
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

function digest(values: Uint8Array): Buffer {
  return createHash('sha256').update(values).digest();
}
