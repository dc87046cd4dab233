import { useState } from 'preact/hooks';
import { logIn, Refused } from '../api.ts';

interface Props {
  readonly error: Error;
  readonly retry: () => void;
}

/** What went wrong, in the server's words, and what helps. */
export function ErrorNote({ error, retry }: Props) {
  const [key, setKey] = useState('');
  const [refusal, setRefusal] = useState<Error>();
  if (!(error instanceof Refused) || error.status !== 401)
    return (
      <div class="error" role="alert">
        <p>{error.message}</p>
        <button type="button" onClick={retry}>
          Try again
        </button>
      </div>
    );
  const submit = (event: Event) => {
    event.preventDefault();
    logIn(key).then(retry, setRefusal);
  };
  return (
    <form class="error" onSubmit={submit}>
      <p role="alert">{(refusal ?? error).message}</p>
      <label>
        Key{' '}
        <input
          class="field"
          type="password"
          autocomplete="off"
          value={key}
          onInput={({ currentTarget }) => setKey(currentTarget.value)}
        />
      </label>
      <button type="submit">Use it</button>
    </form>
  );
}
