import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { errorMessage, VlmoError } from '#errors.ts';
import type { Scope } from './scopes.ts';

/** A key as the server keeps it: its digest, never itself. */
export interface KnownKey {
  /** What logs and limits know it by: the first eight digits of its digest. */
  readonly name: string;
  readonly scope: Exclude<Scope, 'public'>;
}

export interface KeyRing {
  readonly size: number;
  /** The key that was meant; compared with all of them in a time that tells nothing. */
  find(given: string): KnownKey | undefined;
  named(name: string): KnownKey | undefined;
  /** The digest of a key, which seals what stands for it. */
  secret(name: string): Buffer | undefined;
}

const KEY_LINE = /^(read|submit|admin):(\S+)$/;
/** Shorter ones can be guessed. */
const MIN_LENGTH = 16;

/**
 * Keys as `VLMO_API_KEYS` and a file have them: `read:KEY`, divided by commas or new lines, `#` begins a remark. Throws
 * CONFIG_INVALID, without the key.
 */
export async function readKeys(said: string | undefined, file: string | undefined): Promise<KeyRing> {
  const lines = [...linesOf(said ?? '', 'VLMO_API_KEYS')];
  if (file !== undefined) {
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      throw new VlmoError(
        'CONFIG_INVALID',
        `Cannot use --keys-file: expected a file, received ${errorMessage(error)}`,
      );
    });
    lines.push(...linesOf(text, `"${file}"`));
  }
  return createKeyRing(lines.map(({ line, place }) => parseKey(line, place)));
}

function* linesOf(text: string, from: string): Generator<{ line: string; place: string }> {
  for (const [i, raw] of text.split(/[\n,]/).entries()) {
    const line = raw.trim();
    if (line !== '' && !line.startsWith('#')) yield { line, place: `key ${i + 1} of ${from}` };
  }
}

interface Secret extends KnownKey {
  readonly digest: Buffer;
}

function parseKey(line: string, place: string): Secret {
  const [, scope, key = ''] = KEY_LINE.exec(line) ?? [];
  if (scope !== undefined && key.length >= MIN_LENGTH) {
    const digest = digestOf(key);
    return { name: digest.toString('hex', 0, 4), scope: scope as KnownKey['scope'], digest };
  }
  const received = scope === undefined ? 'something else' : `a key of ${key.length} characters`;
  throw new VlmoError(
    'CONFIG_INVALID',
    `Cannot use ${place}: expected "read:KEY", "submit:KEY" or "admin:KEY" with a key of at least ${MIN_LENGTH} characters, received ${received}`,
  );
}

function createKeyRing(secrets: readonly Secret[]): KeyRing {
  return {
    size: secrets.length,
    find(given) {
      const digest = digestOf(given);
      let found: Secret | undefined;
      for (const secret of secrets) if (timingSafeEqual(secret.digest, digest)) found = secret;
      return found;
    },
    named: (name) => secrets.find((secret) => secret.name === name),
    secret: (name) => secrets.find((secret) => secret.name === name)?.digest,
  };
}

function digestOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
