import type { Connection } from '@lancedb/lancedb';
import type { IndexFolder } from '../index-folder.ts';

/** How an index of one format becomes one of the next; it names columns as they were then, whatever they became since. */
export interface Migration {
  /** What the index has afterwards, in a few words. */
  readonly brings: string;
  /** About how long that takes, in words. */
  takes(connection: Connection): Promise<string>;
  /** May be killed at any point, and is then run again from its start. */
  run(connection: Connection, folder: IndexFolder): Promise<void>;
}
