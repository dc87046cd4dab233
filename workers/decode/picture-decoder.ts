import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { toErrorData } from '#errors.ts';
import { orMachineError, patiently } from '#machine-error.ts';
import { pictureError } from '#pictures/picture-error.ts';
import { pictureValues } from '#pictures/picture-spec.ts';
import { decodeSamples } from '#pictures/preprocess.ts';
import { readContent } from '#pictures/read-content.ts';
import { wasReadOtherwise } from '#pictures/read-otherwise.ts';
import { readPicture } from '#pictures/read-picture.ts';
import { createMemoryWatch } from './memory-watch.ts';
import { PixelSlots } from './pixel-file.ts';
import type { DecodeReply, DecodeRequest, DecoderSetup, DecodeSetup, PictureTask } from './protocol.ts';

/** Files up to here are read while the picture before them is decoded; larger ones would add to its memory. */
const READ_AHEAD_BYTES = 4 * 1024 * 1024;

/**
 * What a decode process does with its pictures: one at a time, in the order given, so that it is always known which one
 * is at fault. `onOutOfMemory` is called while one takes more than the limit, and must end the process.
 */
export function createPictureDecoder(
  { decode: setup, pixelFile }: DecoderSetup,
  onOutOfMemory: () => void,
): (request: DecodeRequest) => Promise<DecodeReply> {
  const size = pictureValues(setup.spec);
  const slots = new PixelSlots(pixelFile, size);
  const samples = new Uint8Array(size);
  const watch = createMemoryWatch(setup.memoryMiB, onOutOfMemory);

  async function decode(
    { number, picture }: DecodeRequest,
    ahead: Uint8Array | undefined,
  ): Promise<DecodeReply> {
    let sha256: string | null = null;
    try {
      const bytes = ahead ?? (await patiently(() => readContent(picture.uri, setup.maxImageBytes)));
      sha256 = createHash('sha256').update(bytes).digest('hex');
      const isAsItWas = !picture.verify || !wasReadOtherwise(bytes);
      if (sha256 === picture.storedSha256 && isAsItWas) return { kind: 'unchanged' };
      if (sha256 === picture.failedSha256) return { kind: 'known-failure' };
      slots.writeHead(number, sha256);
      const info = await decodeSamples(bytes, setup.spec, setup.mode, setup, samples);
      slots.writePixels(number, samples);
      return { kind: 'ready', ...info, bytes: bytes.length, sha256 };
    } catch (caught) {
      const error = orMachineError(`Cannot read image "${picture.uri}"`, caught);
      return {
        kind: 'failed',
        error: toErrorData(pictureError(error, picture.uri), 'IMAGE_INVALID'),
        sha256,
      };
    }
  }

  let before: Promise<unknown> = Promise.resolve();
  return (request) => {
    const ahead = readAhead(request.picture, setup);
    const reply = before.then(() => watch(() => decode(request, ahead)));
    before = reply;
    return reply;
  };
}

/** The bytes of a picture that are at hand, or soon are; whatever is wrong with a file is found in its turn. */
function readAhead({ uri, bytes }: PictureTask, { maxImageBytes }: DecodeSetup): Uint8Array | undefined {
  if (bytes) return bytes;
  try {
    const isSmall = statSync(uri).size <= READ_AHEAD_BYTES;
    return isSmall ? readPicture(uri, maxImageBytes) : undefined;
  } catch {
    return undefined;
  }
}
