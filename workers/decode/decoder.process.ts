import { toErrorData } from '#errors.ts';
import type { DecodeReply, DecodeRequest, DecoderGreeting, DecoderSetup } from './protocol.ts';

/**
 * The entry of a decode process. Its setup comes as the one argument, its pictures over the channel that `fork` opens.
 */

process.title = 'vlmo decode';
// Whoever stops the program stops every process of it: the parent decides when the work ends.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
// Nobody is left to decode for. SIGKILL: a decode that never ends would hold an orderly exit up for ever.
const end = (): unknown => process.kill(process.pid, 'SIGKILL');
process.on('disconnect', end);

const send = (message: DecoderGreeting | DecodeReply): void => {
  process.send?.(message, undefined, undefined, () => undefined);
};

try {
  // Here, so that what is missing of libvips is said.
  const { createPictureDecoder } = await import('./picture-decoder.ts');
  const decode = createPictureDecoder(JSON.parse(process.argv[2] ?? '') as DecoderSetup, () => {
    send({ kind: 'out-of-memory' });
    end();
  });
  process.on('message', (request: DecodeRequest) => void decode(request).then(send));
  send({ ready: true });
} catch (error) {
  send({ error: toErrorData(error, 'DECODER_UNAVAILABLE') });
}
if (!process.connected) end();
