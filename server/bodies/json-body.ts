import { errorMessage, VlmoError } from '#errors.ts';
import type { App } from '../parts.ts';

/** What is nested deeper is no request. */
const MAX_DEPTH = 32;

/** Reads JSON alone: every other type is a 415. Deep nesting is refused before anything is made of it. */
export function readJsonBodies(app: App): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, async (_: unknown, body: string) =>
    parseJsonBody(body),
  );
}

/** Throws BODY_INVALID. An empty body is none. */
export function parseJsonBody(text: string): unknown {
  if (text.trim() === '') return undefined;
  if (depthOf(text) > MAX_DEPTH)
    throw invalid(`expected JSON of at most ${MAX_DEPTH} levels, received deeper one`);
  try {
    return JSON.parse(text, refuseProto) as unknown;
  } catch (error) {
    if (error instanceof VlmoError) throw error;
    throw invalid(`expected JSON, received ${errorMessage(error)}`);
  }
}

function refuseProto(key: string, value: unknown): unknown {
  if (key === '__proto__') throw invalid('expected JSON without "__proto__", received it');
  return value;
}

/** The deepest level of brackets outside of strings; in one pass, without making anything. */
function depthOf(text: string): number {
  let [depth, most, isString] = [0, 0, false];
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (isString) {
      if (char === 0x5c) i++;
      else if (char === 0x22) isString = false;
    } else if (char === 0x22) isString = true;
    else if (char === 0x7b || char === 0x5b) most = Math.max(most, ++depth);
    else if (char === 0x7d || char === 0x5d) depth--;
  }
  return most;
}

function invalid(what: string): VlmoError {
  return new VlmoError('BODY_INVALID', `Cannot read the request: ${what}`);
}
