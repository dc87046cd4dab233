import { useEffect, useState } from 'preact/hooks';
import { accessKey, addressOf, ask } from '../api.ts';

interface Props {
  readonly path: string;
  readonly alt: string;
  readonly onFail?: () => void;
}

/** A picture of the server. Where it asks for a key, which an address cannot carry, it is fetched with it. */
export function Picture({ path, alt, onFail }: Props) {
  const [source, setSource] = useState(accessKey() === '' ? addressOf(path) : undefined);
  const [isLost, setLost] = useState(false);
  useEffect(() => {
    setLost(false);
    if (accessKey() === '') {
      setSource(addressOf(path));
      return undefined;
    }
    const gone = new AbortController();
    let url = '';
    ask(path, { signal: gone.signal })
      .then((response) => response.blob())
      .then((blob) => {
        url = URL.createObjectURL(blob);
        setSource(url);
      })
      .catch(() => !gone.signal.aborted && lose());
    return () => {
      gone.abort();
      URL.revokeObjectURL(url);
    };
  }, [path]);
  const lose = () => {
    setLost(true);
    onFail?.();
  };
  if (isLost) return <span class="lost">{alt === '' ? 'No picture' : alt} (its file cannot be read)</span>;
  return source === undefined ? null : <img src={source} alt={alt} decoding="async" onError={lose} />;
}

/** Where a picture of the server lies; undefined for a caption that describes none. */
export function thumbnailOf(key: string | null, collection: string, size: number): string | undefined {
  if (key === null) return undefined;
  return `v1/items/${encodeURIComponent(key)}/thumbnail?${new URLSearchParams({ collection, size: String(size) })}`;
}
