/**
 * Pictures to search by, kept in this browser, so that an address names them after a reload and on the way back. The
 * oldest go: an address of another browser finds none, and the page says so.
 */

const STORE = 'pictures';

/** The name under which it is kept. */
export async function keepPicture(picture: Blob): Promise<string> {
  const name = `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 6)}`;
  await inStore('readwrite', (store) => store.put(picture, name));
  return name;
}

export async function keptPicture(name: string): Promise<Blob | undefined> {
  return (await inStore('readonly', (store) => store.get(name))) as Blob | undefined;
}

async function inStore(
  mode: IDBTransactionMode,
  use: (store: IDBObjectStore) => IDBRequest,
): Promise<unknown> {
  const opening = indexedDB.open('vlmo', 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const base = (await ended(opening)) as IDBDatabase;
  try {
    return await ended(use(base.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    base.close();
  }
}

function ended(request: IDBRequest): Promise<unknown> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('The browser keeps no pictures'));
  });
}
