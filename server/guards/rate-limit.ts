import { VlmoError } from '#errors.ts';
import type { App, ServerParts } from '../parts.ts';

/** Seconds of its rate that a key may use at once. */
const BURST_SECONDS = 10;

interface Bucket {
  tokens: number;
  filledAt: number;
}

/** Holds each key to its requests a minute, so that one of them does not take what is there for all. Throws RATE_LIMITED. */
export function limitRates(app: App, { keys, config, metrics }: ServerParts): void {
  const perSecond = config.rateLimit / 60;
  if (keys.size === 0 || perSecond === 0) return;
  // One a key: they do not grow.
  const buckets = new Map<string, Bucket>();
  app.addHook('onRequest', async ({ knownKey }) => {
    if (!knownKey) return;
    const waitMs = take(buckets, knownKey.name, perSecond, performance.now());
    if (waitMs === 0) return;
    metrics.overload.inc({ reason: 'rate' });
    throw new VlmoError(
      'RATE_LIMITED',
      `Cannot answer: expected at most ${config.rateLimit} requests a minute with this key (--rate-limit), received more`,
      { retryAfterMs: waitMs },
    );
  });
}

/** Milliseconds until the key may ask; 0 where it may now. */
export function take(buckets: Map<string, Bucket>, key: string, perSecond: number, now: number): number {
  const most = Math.max(1, perSecond * BURST_SECONDS);
  const bucket = buckets.get(key) ?? { tokens: most, filledAt: now };
  bucket.tokens = Math.min(most, bucket.tokens + ((now - bucket.filledAt) / 1000) * perSecond);
  bucket.filledAt = now;
  buckets.set(key, bucket);
  if (bucket.tokens < 1) return Math.ceil(((1 - bucket.tokens) / perSecond) * 1000);
  bucket.tokens -= 1;
  return 0;
}
