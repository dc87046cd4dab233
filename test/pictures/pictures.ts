import { readFile } from 'node:fs/promises';
import type { PictureInfo } from '#pictures/decode.ts';
import { squashed } from '#pictures/picture-spec.ts';
import { type PreprocessMode, preprocess } from '#pictures/preprocess.ts';
import { fixture } from '../fixtures/files.ts';

/** Width and height of the drawing that most pictures of the fixtures show. */
export const DRAWING = { width: 48, height: 32 } as const;

export function readPictureFixture(name: string): Promise<Uint8Array> {
  return readFile(fixture(`pictures/${name}`));
}

export interface SeenPicture {
  readonly info: PictureInfo;
  /** What the model gets, as 8-bit samples again, [C, height, width]. */
  readonly samples: readonly number[];
}

export interface SeeOptions {
  readonly mode?: PreprocessMode;
  readonly width?: number;
  readonly height?: number;
  readonly channels?: number;
  readonly maxPixels?: number;
}

/** A picture through the whole preprocessing. */
export async function see(bytes: Uint8Array, options: SeeOptions = {}): Promise<SeenPicture> {
  const { mode = 'reference', channels = 3, maxPixels = 100_000_000 } = options;
  const { width = DRAWING.width, height = DRAWING.height } = options;
  const target = new Float32Array(channels * height * width);
  const spec = squashed([height, width], channels);
  const info = await preprocess(bytes, spec, mode, { maxPixels }, target);
  return { info, samples: Array.from(target, (value) => Math.round((value + 1) * 127.5)) };
}

/** The largest difference of two pictures in 8-bit steps. */
export function difference(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (b[i] ?? Number.NaN))), 0);
}

/** Red, green and blue at a place. */
export function pixelAt({ samples }: SeenPicture, x: number, y: number, width: number): number[] {
  const plane = samples.length / 3;
  return [0, 1, 2].map((c) => samples[c * plane + y * width + x] ?? Number.NaN);
}
