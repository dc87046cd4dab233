import type { LoadedModel } from './model.ts';
import type { RunTask } from './runner.ts';

/** Runs a task on a model that is loaded; `pictureBytes` of a picture's pixels. Throws what the model throws. */
export function runTask(loaded: LoadedModel, task: RunTask, pictureBytes: number): Promise<Float32Array> {
  const { pairs } = loaded;
  switch (task.kind) {
    case 'texts':
      return loaded.embedTexts(task.texts);
    case 'images':
      return loaded.embedPixels(pixelsOf(task, pictureBytes), task.count);
    case 'match':
      return (pairs?.matchPixels ?? none)(pixelsOf(task, pictureBytes), task.count, task.texts);
    case 'tokens':
      return (pairs?.readPictures ?? none)(pixelsOf(task, pictureBytes), task.count);
    case 'pairs':
      return (pairs?.matchTokens ?? none)(joined(task.tokens), task.tokens.length, task.texts);
  }
}

function none(): never {
  throw new Error('A task for another kind of model: this is a bug');
}

function pixelsOf(
  { pixels, count }: Extract<RunTask, { readonly pixels: SharedArrayBuffer }>,
  pictureBytes: number,
): Uint8Array {
  return new Uint8Array(pixels, 0, count * pictureBytes);
}

/** onnxruntime reads one buffer: [B, L, E]. */
function joined(tokens: readonly SharedArrayBuffer[]): Float32Array {
  const [first] = tokens;
  if (first && tokens.length === 1) return new Float32Array(first);
  const all = new Float32Array(tokens.reduce((sum, { byteLength }) => sum + byteLength / 4, 0));
  let at = 0;
  for (const one of tokens) {
    all.set(new Float32Array(one), at);
    at += one.byteLength / 4;
  }
  return all;
}
