import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { askJson, type Collection } from './api.ts';
import { RunsPage } from './runs/runs-page.tsx';
import { ErrorNote } from './search/error-note.tsx';
import { SearchPage } from './search/search-page.tsx';
import { formatState, type State } from './search/state.ts';
import { type Change, useAddress } from './search/use-address.ts';

function App() {
  const [state, change] = useAddress();
  const [collections, setCollections] = useState<readonly Collection[]>([]);
  const [error, setError] = useState<Error>();
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    askJson<{ collections: Collection[] }>('v1/collections').then((answer) => {
      setCollections(answer.collections);
      setError(undefined);
    }, setError);
  }, [attempt]);
  const retry = () => setAttempt(attempt + 1);
  return (
    <>
      <header>
        <h1>vlmo</h1>
        <nav aria-label="Pages">
          <PageLink {...{ state, change }} page="search">
            Search
          </PageLink>
          <PageLink {...{ state, change }} page="runs">
            Runs
          </PageLink>
        </nav>
      </header>
      {error && collections.length === 0 ? (
        <main>
          <ErrorNote error={error} retry={retry} />
        </main>
      ) : state.page === 'runs' ? (
        <RunsPage collection={state.collection} collections={collections} />
      ) : (
        <SearchPage {...{ state, change, collections, retry, attempt }} />
      )}
    </>
  );
}

interface LinkProps {
  readonly state: State;
  readonly change: Change;
  readonly page: State['page'];
  readonly children: string;
}

function PageLink({ state, change, page, children }: LinkProps) {
  const follow = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    change({ page, view: '' });
  };
  return (
    <a
      href={formatState({ ...state, page, view: '' })}
      onClick={follow}
      {...(state.page === page && { 'aria-current': 'page' as const })}
    >
      {children}
    </a>
  );
}

const place = document.getElementById('page');
if (place) render(<App />, place);
