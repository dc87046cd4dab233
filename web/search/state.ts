/** All that a page shows, as its address has it: whoever gets the address sees the same. */
export interface State {
  readonly page: 'search' | 'runs';
  readonly text: string;
  readonly collection: string;
  readonly target: 'images' | 'captions';
  /** Keys of items that hits are to be like, and unlike. */
  readonly like: readonly string[];
  readonly unlike: readonly string[];
  /** Name of a picture that this browser keeps. */
  readonly picture: string;
  /** Each a comparison of the filter grammar; all have to hold. */
  readonly filters: readonly string[];
  readonly rerank: boolean;
  readonly hybrid: boolean;
  /** Key of the hit in the large view. */
  readonly view: string;
}

const DEFAULT_COLLECTION = 'default';

export function parseState(search: string): State {
  const query = new URLSearchParams(search);
  return {
    page: query.get('page') === 'runs' ? 'runs' : 'search',
    text: query.get('q') ?? '',
    collection: query.get('collection') ?? DEFAULT_COLLECTION,
    target: query.get('in') === 'captions' ? 'captions' : 'images',
    like: query.getAll('like'),
    unlike: query.getAll('unlike'),
    picture: query.get('picture') ?? '',
    filters: query.getAll('where'),
    rerank: query.has('rerank'),
    hybrid: query.has('keywords'),
    view: query.get('view') ?? '',
  };
}

export function formatState(state: State): string {
  const query = new URLSearchParams();
  if (state.page === 'runs') query.set('page', 'runs');
  if (state.text !== '') query.set('q', state.text);
  if (state.collection !== DEFAULT_COLLECTION) query.set('collection', state.collection);
  if (state.target !== 'images') query.set('in', state.target);
  for (const key of state.like) query.append('like', key);
  for (const key of state.unlike) query.append('unlike', key);
  if (state.picture !== '') query.set('picture', state.picture);
  for (const filter of state.filters) query.append('where', filter);
  if (state.rerank) query.set('rerank', '1');
  if (state.hybrid) query.set('keywords', '1');
  if (state.view !== '') query.set('view', state.view);
  const said = query.toString();
  return said === '' ? location.pathname : `?${said}`;
}

export function hasQuery({ text, like, unlike, picture }: State): boolean {
  return text.trim() !== '' || like.length > 0 || unlike.length > 0 || picture !== '';
}

const PAGE_SIZE = 60;
const RERANKED = 60;
/** What hits are to be unlike counts half: it is to push away, not to lead. */
const UNLIKE_WEIGHT = -0.5;

/** The request of a state, without its picture. */
export function toRequest(state: State, cursor: string | undefined): object {
  const text = state.text.trim();
  const keys = [
    ...state.like.map((key) => ({ key, weight: 1 })),
    ...state.unlike.map((key) => ({ key, weight: UNLIKE_WEIGHT })),
  ];
  return {
    collection: state.collection,
    in: state.target,
    k: PAGE_SIZE,
    ...(text !== '' && { text }),
    ...(keys.length > 0 && { keys }),
    ...(state.filters.length > 0 && { where: state.filters.map((one) => `(${one})`).join(' AND ') }),
    ...(state.rerank && { rerank: RERANKED }),
    ...(state.hybrid && text !== '' && { hybrid: true }),
    ...(cursor !== undefined && { cursor }),
  };
}
