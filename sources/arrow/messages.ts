import type { FileHandle } from 'node:fs/promises';
import type { MessageHeader } from 'apache-arrow';
import { Message } from 'apache-arrow/ipc/metadata/message';

/** A message of an Arrow file or stream, and where its body lies. */
export interface ArrowMessage {
  readonly message: Message<MessageHeader>;
  readonly offset: number;
}

const MAGIC = 'ARROW1';
const CONTINUES = -1;
/** Names and places; the largest schemas take some kB. */
const MAX_METADATA_BYTES = 64 * 1024 * 1024;

/** Walks the messages of an Arrow file or stream; their bodies are not read. Throws an error that says what is wrong. */
export async function* arrowMessages(
  file: FileHandle,
  size: number,
): AsyncGenerator<ArrowMessage, void, void> {
  const head = await readAt(file, 0, 8);
  let at = head.toString('latin1', 0, 6) === MAGIC ? 8 : 0;
  while (at < size) {
    const prefix = await readAt(file, at, 8);
    // Before 0.15 the length stood first.
    const isNew = prefix.readInt32LE(0) === CONTINUES;
    const length = prefix.readInt32LE(isNew ? 4 : 0);
    if (length === 0) return;
    const start = at + (isNew ? 8 : 4);
    if (length < 0 || length > MAX_METADATA_BYTES || start + length > size)
      throw new Error(at === 0 ? 'something else' : `one that ends at byte ${size} in a message`);
    const message = Message.decode(new Uint8Array(await readAt(file, start, length)));
    const offset = start + length;
    if (offset + message.bodyLength > size) throw new Error(`one that ends at byte ${size} in a batch`);
    yield { message, offset };
    at = offset + message.bodyLength;
  }
}

export async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
  if (bytesRead < length) throw new Error(`one that ends at byte ${offset + bytesRead}`);
  return buffer;
}
