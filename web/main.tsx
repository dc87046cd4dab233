import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { askJson, type Collection } from './api.ts';
import { ErrorNote } from './search/error-note.tsx';
import { SearchPage } from './search/search-page.tsx';
import { useAddress } from './search/use-address.ts';

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
      </header>
      {error && collections.length === 0 ? (
        <main>
          <ErrorNote error={error} retry={retry} />
        </main>
      ) : (
        <SearchPage {...{ state, change, collections, retry, attempt }} />
      )}
    </>
  );
}

const place = document.getElementById('page');
if (place) render(<App />, place);
