/** Directives of `X-Robots-Tag` by which a picture is not for data sets, as img2dataset has them. */
const DISALLOWING: ReadonlySet<string> = new Set(['noai', 'noimageai', 'noindex', 'noimageindex']);

/**
 * The directive by which a server keeps a picture out of what we make; undefined where there is none. One with a name
 * before it (`somebot: noai`) is for who is called so.
 */
export function disallowedBy(
  header: string | readonly string[] | undefined,
  agent: string,
): string | undefined {
  for (const value of typeof header === 'string' ? [header] : (header ?? [])) {
    const [first = '', ...rest] = value.split(':');
    const name = rest.length > 0 ? first.trim().toLowerCase() : undefined;
    if (name !== undefined && name !== agent) continue;
    const directives = (name === undefined ? first : rest.join(':')).split(',');
    const found = directives.map((one) => one.trim().toLowerCase()).find((one) => DISALLOWING.has(one));
    if (found !== undefined) return found;
  }
  return undefined;
}
