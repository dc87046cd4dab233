/** What the page asks of the server, and what it is answered, as /openapi.json has it. */

export interface Hit {
  readonly rank: number;
  readonly id: string;
  readonly kind: 'image' | 'caption';
  readonly caption: string | null;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly score: number;
  readonly cosine: number;
  readonly match: number | null;
  /** Whether `match` can be believed; else it is the model's own. */
  readonly calibrated: boolean;
  readonly key: string;
  readonly source: string;
  readonly uri: string;
  readonly width: number | null;
  readonly height: number | null;
  readonly imageKey: string | null;
}

export interface Answer {
  readonly hits: readonly Hit[];
  readonly cursor: string | null;
  readonly unread: readonly { readonly id: string; readonly message: string }[];
}

/** As the server says it: once for all hits. */
interface Answered extends Omit<Answer, 'hits'> {
  readonly hits: readonly Omit<Hit, 'calibrated'>[];
  readonly calibrated: boolean;
}

export interface Collection {
  readonly name: string;
  readonly images: number;
  readonly captions: number;
  readonly model: string;
}

/** An error as the server says it. */
export class Refused extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Gives a key once; the server's cookie stands for it from then on. Throws Refused. */
export async function logIn(key: string): Promise<void> {
  await askJson('login', { key: key.trim() });
}

/** An address of the server, also below a base path. */
export function addressOf(path: string): string {
  return new URL(path, document.baseURI.replace(/[?#].*/, '')).href;
}

/** The server's answer. Throws Refused, also where the server is not reached. */
export async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(addressOf(path), init).catch((error: unknown) => {
    if (init.signal?.aborted) throw error;
    throw new Refused(0, 'UNREACHABLE', 'The server does not answer. Is it still running?');
  });
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as { detail?: string; code?: string };
  const said = problem.detail ?? `The server answered with status ${response.status}`;
  throw new Refused(response.status, problem.code ?? '', said);
}

export async function askJson<T>(path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const headers = { 'content-type': 'application/json' };
  const init = body === undefined ? {} : { method: 'POST', headers, body: JSON.stringify(body) };
  return (await ask(path, { ...init, ...(signal && { signal }) })).json() as Promise<T>;
}

/** A search; a picture goes along in a form. */
export async function search(
  request: object,
  picture: Blob | undefined,
  signal: AbortSignal,
): Promise<Answer> {
  const answer: Answered = picture
    ? await (await ask('v1/search', { method: 'POST', body: formOf(request, picture), signal })).json()
    : await askJson('v1/search', request, signal);
  const { calibrated } = answer;
  return { ...answer, hits: answer.hits.map((hit) => ({ ...hit, calibrated })) };
}

function formOf(request: object, picture: Blob): FormData {
  const form = new FormData();
  form.set('request', JSON.stringify(request));
  form.set('image', picture, 'picture');
  return form;
}
