import { schemeOf } from '#uri.ts';

const SCHEMES: ReadonlySet<string | undefined> = new Set(['http', 'https', 's3']);

/** Whether what lies at a uri has to be downloaded. */
export function isRemote(uri: string): boolean {
  return SCHEMES.has(schemeOf(uri));
}
