import { toErrorData, VlmoError } from '#errors.ts';

/** What `preprocess` threw, with the picture's name in its message, where it has one. */
export function pictureError(error: unknown, name: string): VlmoError {
  const { code, message } = toErrorData(error, 'IMAGE_INVALID');
  if (name === '') return new VlmoError(code, message, { cause: error });
  // A function: a name may hold what String.replace reads as a pattern.
  const named = message.replace(/^Cannot decode image:/, () => `Cannot decode image "${name}":`);
  return new VlmoError(code, named, { cause: error });
}
