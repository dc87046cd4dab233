import { checkDevices } from './check-devices.ts';
import { checkDisk } from './check-disk.ts';
import { checkPictures } from './check-pictures.ts';
import { checkRedis } from './check-redis.ts';
import { checkStore } from './check-store.ts';
import type { Finding } from './finding.ts';
import { checkIndex } from './index/check-index.ts';

interface Examined {
  readonly device: Parameters<typeof checkDevices>[0];
  /** Folder of an index that is looked through too. */
  readonly index: string | undefined;
  readonly redisUrl: string | undefined;
  /** Told how many rows of the index were looked at since it was called last. */
  readonly onRows: (count: number) => void;
}

/** Tries out all that a run needs, one after the other: what is measured must not be disturbed. */
export async function* examine({ device, index, redisUrl, onRows }: Examined): AsyncGenerator<Finding> {
  yield* await checkDevices(device);
  yield await checkPictures();
  yield await checkStore(index);
  if (index !== undefined) yield* checkIndex(index, onRows);
  yield* await checkRedis(redisUrl);
  yield* await checkDisk(index);
}
