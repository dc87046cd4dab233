import type { App } from './parts.ts';

/** A connection that is answered while the server closes is its last: kept alive, it would hold the server for a minute. */
export function closeConnections(app: App): void {
  let isClosing = false;
  app.addHook('preClose', async () => {
    isClosing = true;
  });
  app.addHook('onSend', async (_, reply) => {
    if (isClosing) reply.header('connection', 'close');
  });
}
