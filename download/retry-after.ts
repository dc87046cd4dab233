/** Milliseconds that a server asks to wait, by seconds or a date; undefined where it asks for nothing. */
export function retryAfterMs(header: string | string[] | undefined, now = Date.now()): number | undefined {
  const said = String(header ?? '').trim();
  if (/^\d{1,9}$/.test(said)) return Number(said) * 1000;
  const date = /[a-z]/i.test(said) ? Date.parse(said) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
