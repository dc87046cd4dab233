import { useEffect, useState } from 'preact/hooks';
import type { Collection, Hit } from '../api.ts';
import { exportHits } from '../results/export-hits.ts';
import { Grid } from '../results/grid.tsx';
import { LargeView } from '../results/large-view.tsx';
import { Empty } from './empty.tsx';
import { ErrorNote } from './error-note.tsx';
import { Filters } from './filters.tsx';
import { keepPicture } from './kept-pictures.ts';
import { SearchBox } from './search-box.tsx';
import { hasQuery, type State } from './state.ts';
import type { Change } from './use-address.ts';
import { type Found, useSearch } from './use-search.ts';

interface Props {
  readonly state: State;
  readonly change: Change;
  readonly collections: readonly Collection[];
  readonly retry: () => void;
  readonly attempt: number;
}

export function SearchPage({ state, change, collections, retry, attempt }: Props) {
  const found = useSearch(state, attempt);
  const { hits, isWhole, error, more } = found;
  const [problem, setProblem] = useState<Error>();
  const takePicture = (picture: Blob) => {
    setProblem(undefined);
    keepPicture(picture).then((name) => change({ picture: name, view: '' }), setProblem);
  };
  const isOver = useDropped(takePicture);

  const at = hits.findIndex(({ key }) => key === state.view);
  const viewed = hits[at];
  const add = (to: 'like' | 'unlike') => (hit: Hit) => {
    const key = hit.key;
    const other = to === 'like' ? 'unlike' : 'like';
    change({
      view: '',
      [to]: [...state[to].filter((one) => one !== key), key],
      [other]: state[other].filter((one) => one !== key),
    });
    scrollTo({ top: 0 });
  };
  const move = (by: 1 | -1) => {
    const next = hits[at + by];
    if (at + by >= hits.length - 5) more();
    if (next) change({ view: next.key }, 'replace');
  };
  const close = () => {
    change({ view: '' }, 'replace');
    document.querySelector<HTMLElement>(`[data-at="${at}"]`)?.focus();
  };
  const actions = { open: (hit: Hit) => change({ view: hit.key }), like: add('like'), unlike: add('unlike') };
  const shownError = problem ?? error;

  return (
    <>
      <SearchBox {...{ state, change, collections, takePicture }} />
      <main>
        {(hits.length > 0 || state.filters.length > 0) && (
          <div class="bar">
            <Filters {...{ state, change, hits }} />
            {hits.length > 0 && (
              <span class="exports">
                <button type="button" onClick={() => exportHits(hits, 'json')}>
                  Save JSON
                </button>
                <button type="button" onClick={() => exportHits(hits, 'csv')}>
                  Save CSV
                </button>
              </span>
            )}
          </div>
        )}
        <p class="status" role="status">
          {statusOf(state, found)}
        </p>
        {shownError && <ErrorNote error={shownError} retry={retry} />}
        {hits.length > 0 ? (
          <Grid {...{ hits, isWhole, collection: state.collection, onNearEnd: more, ...actions }} />
        ) : (
          !found.isBusy && !shownError && <Empty {...{ state, change, collections }} />
        )}
      </main>
      {viewed && <LargeView {...{ hit: viewed, collection: state.collection, move, close, ...actions }} />}
      {isOver && <div class="drop">Drop the picture to search by it</div>}
    </>
  );
}

function statusOf(state: State, { hits, isWhole, isBusy, error, unread }: Found): string {
  if (!hasQuery(state) || error) return '';
  if (isBusy) return hits.length === 0 ? 'Searching …' : 'Loading more …';
  const lost = unread > 0 ? `; ${unread} could not be read again, and come last` : '';
  const read = state.rerank ? ', the best of all, read again' : '';
  return `${hits.length}${isWhole ? '' : ' or more'} ${hits.length === 1 && isWhole ? 'hit' : 'hits'}${read}${lost}`;
}

/** Takes pictures that are dropped or pasted anywhere; whether one is over the page. */
function useDropped(take: (picture: Blob) => void): boolean {
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    const takeFrom = (data: DataTransfer | null, event: Event) => {
      const file = [...(data?.files ?? [])].find(({ type }) => type.startsWith('image/'));
      if (!file) return;
      event.preventDefault();
      take(file);
    };
    const over = (event: DragEvent) => {
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent) => event.relatedTarget === null && setOver(false);
    const drop = (event: DragEvent) => {
      event.preventDefault();
      setOver(false);
      takeFrom(event.dataTransfer, event);
    };
    const paste = (event: ClipboardEvent) => takeFrom(event.clipboardData, event);
    addEventListener('dragover', over);
    addEventListener('dragleave', leave);
    addEventListener('drop', drop);
    addEventListener('paste', paste);
    return () => {
      removeEventListener('dragover', over);
      removeEventListener('dragleave', leave);
      removeEventListener('drop', drop);
      removeEventListener('paste', paste);
    };
  });
  return isOver;
}
