import { VlmoError } from '#errors.ts';
import { pictureValues } from '#pictures/picture-spec.ts';
import type { DecodedPicture, PictureInput, Runner, RunOptions, RunTask } from './runner.ts';

/** A picture whose content is known: where it lies, and the digest of the bytes that lay there. */
export interface StoredPicture {
  readonly uri: string;
  readonly sha256: string;
}

/** A row of the store, known by its content where the store has that: what was made of it before need not be made again. */
export function storedPicture({ uri, sha256 }: { uri: string; sha256?: string | null }): MatchPicture {
  return sha256 === undefined || sha256 === null ? uri : { uri, sha256 };
}

/** A picture that is read together with texts. */
export type MatchPicture = PictureInput | StoredPicture;

/** Pictures in the form that a model reads them in with texts. */
export interface ReadPictures {
  /** The place of each among those that could be read, or why it could not. */
  readonly places: readonly (number | VlmoError)[];
  /** How many could be read. */
  readonly count: number;
  /** Those that could be read, with one text, or the one, with texts. */
  withTexts(texts: readonly string[]): RunTask;
}

export interface PictureReader {
  read(pictures: readonly MatchPicture[], options?: RunOptions): Promise<ReadPictures>;
}

/** For a model that reads pixels and text in one step. */
export function createPixelReader(runner: Runner): PictureReader {
  return {
    async read(pictures, options) {
      const { pixels, decoded, count } = await decode(runner, pictures, options);
      return {
        places: decoded.map((one) => (one instanceof VlmoError ? one : one.slot)),
        count,
        withTexts: (texts) => ({ kind: 'match', pixels, count, texts }),
      };
    },
  };
}

/** Pixels of pictures side by side, [slot, C, H, W] of 8 bits. */
export async function decode(
  runner: Runner,
  pictures: readonly MatchPicture[],
  options?: RunOptions,
): Promise<{
  readonly pixels: SharedArrayBuffer;
  readonly decoded: readonly (DecodedPicture | VlmoError)[];
  readonly count: number;
}> {
  const pixels = new SharedArrayBuffer(pictures.length * pictureValues(runner.model.picture));
  const inputs = pictures.map((picture) =>
    typeof picture === 'string' || picture instanceof Uint8Array ? picture : picture.uri,
  );
  const decoded = await runner.decode(inputs, pixels, options);
  return { pixels, decoded, count: decoded.filter((one) => !(one instanceof VlmoError)).length };
}
