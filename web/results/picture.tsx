import { useEffect, useState } from 'preact/hooks';
import { addressOf } from '../api.ts';

interface Props {
  readonly path: string;
  readonly alt: string;
}

/** A picture of the server; words where it cannot be shown. */
export function Picture({ path, alt }: Props) {
  const [isLost, setLost] = useState(false);
  useEffect(() => setLost(false), [path]);
  if (isLost) return <span class="lost">{alt === '' ? 'No picture' : alt} (its file cannot be read)</span>;
  return <img src={addressOf(path)} alt={alt} decoding="async" onError={() => setLost(true)} />;
}

/** Where a picture of the server lies; undefined for a caption that describes none. */
export function thumbnailOf(key: string | null, collection: string, size: number): string | undefined {
  if (key === null) return undefined;
  return `v1/items/${encodeURIComponent(key)}/thumbnail?${new URLSearchParams({ collection, size: String(size) })}`;
}
