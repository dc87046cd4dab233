import { createHash } from 'node:crypto';
import { VlmoError } from '#errors.ts';
import { pictureValues } from '#pictures/picture-spec.ts';
import { decode, type MatchPicture, type PictureReader } from './picture-reader.ts';
import type { Runner, RunOptions } from './runner.ts';
import type { TokenCache } from './token-cache.ts';

/** What a model makes of one picture, [L, E] of float32. */
type Tokens = SharedArrayBuffer;

/**
 * For a model that makes tokens of a picture once, to read them with any text. They are known by the content of the picture;
 * one that several ask for at the same time is read for all of them.
 */
export function createTokenReader(runner: Runner, cache: TokenCache): PictureReader {
  /** Pictures in hand; undefined where nothing came of it, and who waits has to look for itself. */
  const inHand = new Map<string, Promise<Tokens | undefined>>();

  return {
    async read(pictures, options) {
      const found = await readAll(pictures, options);
      const tokens = found.filter((one): one is Tokens => !(one instanceof VlmoError));
      let place = 0;
      return {
        places: found.map((one) => (one instanceof VlmoError ? one : place++)),
        count: tokens.length,
        withTexts: (texts) => ({ kind: 'pairs', tokens, texts }),
      };
    },
  };

  async function readAll(
    pictures: readonly MatchPicture[],
    options: RunOptions | undefined,
  ): Promise<readonly (Tokens | VlmoError)[]> {
    const found: (Tokens | VlmoError | undefined)[] = [];
    const mine: { readonly i: number; readonly settle?: (tokens: Tokens | undefined) => void }[] = [];
    const awaited: { readonly i: number; readonly tokens: Promise<Tokens | undefined> }[] = [];
    for (const [i, picture] of pictures.entries()) {
      const digest = digestOf(picture);
      const kept = digest === undefined ? undefined : cache.get(digest);
      const tokens = digest === undefined ? undefined : inHand.get(digest);
      if (kept) found[i] = kept;
      else if (tokens) awaited.push({ i, tokens });
      else if (digest === undefined) mine.push({ i });
      else {
        const { promise, resolve } = Promise.withResolvers<Tokens | undefined>();
        inHand.set(digest, promise);
        mine.push({ i, settle: (made) => [inHand.delete(digest), resolve(made)] });
      }
    }
    try {
      const made = await make(
        mine.map(({ i }) => pictures[i] as MatchPicture),
        options,
      );
      for (const [at, { i, settle }] of mine.entries()) {
        const one = made[at] as Made;
        found[i] = one.tokens;
        settle?.(one.isAsNamed && !(one.tokens instanceof VlmoError) ? one.tokens : undefined);
      }
    } finally {
      for (const { settle } of mine) settle?.(undefined);
    }
    for (const { i, tokens } of awaited) {
      found[i] = (await tokens) ?? (await readAll([pictures[i] as MatchPicture], options))[0];
    }
    return found as readonly (Tokens | VlmoError)[];
  }

  interface Made {
    readonly tokens: Tokens | VlmoError;
    /** Whether the content is the one that it was said to be. */
    readonly isAsNamed: boolean;
  }

  /** Out of the folder, or computed, all in one run. */
  async function make(
    pictures: readonly MatchPicture[],
    options: RunOptions | undefined,
  ): Promise<readonly Made[]> {
    const stored = await Promise.all(
      pictures.map(async (picture) => {
        const digest = digestOf(picture);
        return digest === undefined ? undefined : cache.load(digest);
      }),
    );
    const missing = pictures.filter((_, i) => stored[i] === undefined);
    const computed = (missing.length > 0 ? await compute(missing, options) : []).values();
    return stored.map((tokens) => (tokens ? { tokens, isAsNamed: true } : (computed.next().value as Made)));
  }

  async function compute(
    pictures: readonly MatchPicture[],
    options: RunOptions | undefined,
  ): Promise<readonly Made[]> {
    const { pixels, decoded } = await decode(runner, pictures, options);
    // One that was named by its place alone may be known by its content.
    const known = decoded.map((one) => (one instanceof VlmoError ? one : cache.get(one.sha256)));
    const missing = decoded.flatMap((one, i) =>
      known[i] || one instanceof VlmoError ? [] : [{ i, ...one }],
    );
    const slots = missing.map(({ slot }) => slot);
    const runs = slots.length > 0 ? await tokensOf(pixels, slots, options) : [];
    for (const [at, { i, sha256 }] of missing.entries()) {
      const tokens = runs[at] as Tokens;
      known[i] = tokens;
      await cache.keep(sha256, tokens);
    }
    return decoded.map((one, i) => {
      const named = digestOf(pictures[i] as MatchPicture);
      const isAsNamed = !(one instanceof VlmoError) && one.sha256 === named;
      return { tokens: known[i] as Tokens | VlmoError, isAsNamed };
    });
  }

  /** Of the pictures in these slots, in one run. */
  async function tokensOf(
    pixels: SharedArrayBuffer,
    slots: readonly number[],
    options: RunOptions | undefined,
  ): Promise<readonly Tokens[]> {
    const bytes = pictureValues(runner.model.picture);
    const own = new SharedArrayBuffer(slots.length * bytes);
    for (const [i, slot] of slots.entries())
      new Uint8Array(own, i * bytes).set(new Uint8Array(pixels, slot * bytes, bytes));
    const values = await runner.run({ kind: 'tokens', pixels: own, count: slots.length }, options);
    const length = values.length / slots.length;
    return slots.map((_, i) => {
      const tokens = new SharedArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT);
      new Float32Array(tokens).set(values.subarray(i * length, (i + 1) * length));
      return tokens;
    });
  }
}

function digestOf(picture: MatchPicture): string | undefined {
  if (typeof picture === 'string') return undefined;
  if (picture instanceof Uint8Array) return createHash('sha256').update(picture).digest('hex');
  return picture.sha256;
}
