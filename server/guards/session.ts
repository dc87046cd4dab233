import { createHmac, timingSafeEqual } from 'node:crypto';
import type { KeyRing, KnownKey } from './keys.ts';

/** The cookie that stands for a key that was given once. */
export const SESSION_COOKIE = 'vlmo_session';
export const SESSION_SECONDS = 43_200;

/**
 * `NAME.EXPIRES.SEAL`: sealed by the key itself, so that every server with this key takes it, and none does once the key is
 * gone. The key cannot be told from it.
 */
export function sealSession(keys: KeyRing, { name }: KnownKey, now = Date.now()): string {
  const text = `${name}.${Math.floor(now / 1000) + SESSION_SECONDS}`;
  return `${text}.${seal(keys, name, text)}`;
}

/** The key that a session stands for; undefined for one that is over, forged, or of a key that is gone. */
export function openSession(
  keys: KeyRing,
  cookies: string | undefined,
  now = Date.now(),
): KnownKey | undefined {
  const said = cookies?.split(';').map((one) => one.trim());
  const token = said?.find((one) => one.startsWith(`${SESSION_COOKIE}=`))?.slice(SESSION_COOKIE.length + 1);
  const [name = '', expires = '', given = ''] = token?.split('.') ?? [];
  const known = keys.named(name);
  if (!known) return undefined;
  const expected = Buffer.from(seal(keys, name, `${name}.${expires}`));
  const received = Buffer.from(given);
  if (expected.length !== received.length || !timingSafeEqual(expected, received)) return undefined;
  return Number(expires) * 1000 > now ? known : undefined;
}

function seal(keys: KeyRing, name: string, text: string): string {
  const secret = keys.secret(name) ?? '';
  return createHmac('sha256', secret).update(`session ${text}`).digest('base64url');
}
