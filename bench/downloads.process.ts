import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server of pictures of so many bytes, for the benchmark of downloads. */

const picture = Buffer.alloc(Number(process.argv[2]));
picture.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const server = createServer(
  (_, response) => void response.setHeader('content-length', picture.length).end(picture),
);
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit());
