/**
 * The registry of error codes and the one error class of the project. Imports nothing.
 *
 * Wording of every message: `Cannot <action> <subject>: expected …, received …`, capital first, no full stop,
 * values in double quotes. `docs/errors.md` lists each code; a test holds the two together.
 */

/** Every code, whether trying the same thing again can help, and what it means in a sentence. */
export const ERROR_CODES = {
  SOURCE_NOT_FOUND: { retriable: false, meaning: 'The source given to a command does not exist' },
  SOURCE_UNSUPPORTED: {
    retriable: false,
    meaning: 'The source is neither a folder nor a known kind of manifest',
  },
  SOURCE_COLUMN_MISSING: { retriable: false, meaning: 'A manifest has no column for what was asked of it' },
  ITEM_NOT_DOWNLOADED: {
    retriable: false,
    meaning: 'The tool that made this data set could not download the picture, and says so',
  },
  TAR_DAMAGED: {
    retriable: false,
    meaning: 'A tar is cut or damaged, and nobody knows what would follow',
  },
  SOURCE_ROW_INVALID: {
    retriable: false,
    meaning: 'One row of a manifest or one sidecar file cannot be understood',
  },
  MODEL_OUTPUT_UNKNOWN: {
    retriable: false,
    meaning: 'A value was asked for that the model does not compute',
  },
  CHECKPOINT_NOT_FOUND: { retriable: false, meaning: 'The checkpoint file cannot be opened' },
  CHECKPOINT_INVALID: {
    retriable: false,
    meaning: 'The checkpoint is damaged, or not a VLMo saved by PyTorch',
  },
  CHECKPOINT_UNSAFE: {
    retriable: false,
    meaning: 'The checkpoint names something other than tensors and plain data, which could run code',
  },
  MODEL_EXISTS: { retriable: false, meaning: 'The folder an import should write is there already' },
  MODEL_NOT_FOUND: { retriable: false, meaning: 'There is no model folder at this place' },
  MODEL_INPUT_INVALID: {
    retriable: false,
    meaning: 'A picture, text or tensor has not the shape the model was made for',
  },
  MODEL_HEAD_MISSING: {
    retriable: false,
    meaning: 'The checkpoint has no head for what was asked: vectors need ITC, matching needs ITM',
  },
  MODEL_INVALID: { retriable: false, meaning: 'A model folder is incomplete or contradicts itself' },
  MODEL_UNKNOWN: {
    retriable: false,
    meaning:
      'The vectors of a collection were computed elsewhere, and no model is named for texts and pictures',
  },
  VECTORS_MALFORMED: {
    retriable: false,
    meaning: 'Files of vectors are not what they should be, or do not go together',
  },
  VECTOR_INVALID: {
    retriable: false,
    meaning: 'A vector that was computed elsewhere is not finite, or all 0',
  },
  STORE_NOT_FOUND: { retriable: false, meaning: 'The folder holds no index yet' },
  STORE_FOLDER_OCCUPIED: {
    retriable: false,
    meaning: 'The folder for a new index holds files of something else',
  },
  STORE_VERSION_UNSUPPORTED: {
    retriable: false,
    meaning: 'The index was written by another version of its format',
  },
  STORE_COLLECTION_INVALID: { retriable: false, meaning: 'The name of a collection cannot be used' },
  STORE_GENERATION_CONFLICT: {
    retriable: false,
    meaning: 'Two models would share one generation of a collection',
  },
  STORE_ROW_INVALID: { retriable: false, meaning: 'A row holds what the store cannot keep' },
  INDEX_COPIED: {
    retriable: false,
    meaning: 'A worker of the queue works on another copy of the index',
  },
  INDEX_BUSY: {
    retriable: true,
    meaning: 'A run or a renaming is under way, and the index is not to change meanwhile',
  },
  STORE_TABLE_LOST: { retriable: false, meaning: 'A table that the index had is gone or damaged' },
  STORE_READ_FAILED: { retriable: true, meaning: 'The index could not be read' },
  STORE_WRITE_FAILED: { retriable: true, meaning: 'The index could not be written' },
  FILTER_INVALID: { retriable: false, meaning: 'A filter (--where) cannot be understood' },
  ANN_INDEX_MISSING: { retriable: false, meaning: 'There is no approximate index to search by' },
  ANN_UNSUITABLE: {
    retriable: false,
    meaning: 'The vectors are too few, or of a length, for an approximate index',
  },
  EVALUATION_EMPTY: {
    retriable: false,
    meaning: 'There is no picture with a caption to evaluate',
  },
  EVALUATION_INCOMPLETE: {
    retriable: false,
    meaning: 'Pictures or captions of what is to be evaluated are not there',
  },
  CALIBRATION_UNSUITABLE: {
    retriable: false,
    meaning: 'The pairs of a collection are too few, or tell nothing, to calibrate a match by',
  },
  CURSOR_INVALID: {
    retriable: false,
    meaning: 'The cursor of a page of hits is damaged, or of another search',
  },
  QUERY_INVALID: { retriable: false, meaning: 'The parts of a query cancel each other out' },
  IMAGE_INVALID: { retriable: false, meaning: 'A picture is damaged or of a format that cannot be decoded' },
  IMAGE_TOO_LARGE: { retriable: false, meaning: 'A picture has more pixels or bytes than the limits allow' },
  ITEM_NOT_FOUND: { retriable: true, meaning: 'The file of a picture is not there' },
  ITEM_UNREADABLE: { retriable: true, meaning: 'The file of a picture cannot be read' },
  ITEM_TIMEOUT: { retriable: false, meaning: 'A picture took longer to decode than the limit allows' },
  ITEM_CRASHES: {
    retriable: false,
    meaning: 'The process ended each time that this item was worked on alone',
  },
  URL_UNSUPPORTED: { retriable: false, meaning: 'A URL is of a kind that is not read here' },
  URL_REFUSED: {
    retriable: false,
    meaning: 'A URL leads to where this program may not ask: a private address, another port',
  },
  DOWNLOAD_FAILED: {
    retriable: true,
    meaning: 'A server could not be reached, broke off, or has a fault or too much to do (5xx, 429)',
  },
  DOWNLOAD_TIMEOUT: { retriable: true, meaning: 'What lies at a URL did not come in time' },
  DOWNLOAD_NOT_FOUND: { retriable: false, meaning: 'A server has nothing at a URL (404, 410)' },
  DOWNLOAD_REFUSED: {
    retriable: false,
    meaning: 'A server does not give out what lies at a URL (401, 403, others), or leads on without end',
  },
  CREDENTIALS_INVALID: {
    retriable: true,
    meaning: 'The keys that requests to S3 are signed with cannot be had',
  },
  ROBOTS_REFUSED: {
    retriable: false,
    meaning: 'A server keeps a picture from data sets (X-Robots-Tag: noai, noimageindex, others)',
  },
  WORKER_CRASHED: { retriable: true, meaning: 'The thread or process that worked on an item died' },
  DECODER_UNAVAILABLE: { retriable: true, meaning: 'No process that decodes pictures can be started' },
  THREAD_UNAVAILABLE: { retriable: true, meaning: 'No thread that computes can be started' },
  INFERENCE_FAILED: { retriable: true, meaning: 'The model could not be run on an item' },
  ENGINE_BUSY: {
    retriable: true,
    meaning: 'As many calls as an opened index or its engine takes are under way',
  },
  REQUEST_INVALID: {
    retriable: false,
    meaning: 'A request has a field that is wrong, beyond a limit, or does not go with another one',
  },
  JOB_INVALID: {
    retriable: false,
    meaning: 'A job in the queue is not what docs/jobs.md describes, or names what the index does not have',
  },
  RUN_NOT_FOUND: { retriable: false, meaning: 'The index has no run of this id' },
  QUERY_FAILED: { retriable: true, meaning: 'A worker could not answer a query' },
  QUERY_TIMEOUT: { retriable: true, meaning: 'No worker answered a query in time' },
  MACHINE_FAILED: {
    retriable: true,
    meaning: 'The machine lacks what the work needs: open files, memory, room, a temporary folder',
  },
  REDIS_MISSING: { retriable: false, meaning: 'No redis-server or valkey-server is installed' },
  REDIS_UNREACHABLE: { retriable: true, meaning: 'Redis cannot be reached, or refuses what it is given' },
  REDIS_UNSUITABLE: { retriable: false, meaning: 'Redis is too old, or set so that it may drop jobs' },
  SCORING_FAILED: {
    retriable: true,
    meaning: 'The vectors could not be scored, or did not fit into memory or on disk',
  },
  RESULTS_CONFLICT: {
    retriable: false,
    meaning: 'A file of results was begun by another request, and is not whole yet',
  },
  RESULTS_UNWRITABLE: { retriable: true, meaning: 'A file of results cannot be written' },
  DEVICE_UNAVAILABLE: { retriable: false, meaning: 'The device that was asked for cannot compute here' },
  DEVICE_WRONG: { retriable: false, meaning: 'A device computes something else than it should' },
  DEVICE_LOST: { retriable: true, meaning: 'A device stopped computing in the middle of the work' },
  CONFIG_INVALID: { retriable: false, meaning: 'An option has a value that it cannot take' },
  USAGE_INVALID: { retriable: false, meaning: 'A command was called with arguments that do not go together' },
  MODEL_CHANGED: {
    retriable: false,
    meaning: 'The bundled model is another one than that which made a collection',
  },
  SEARCH_MODEL_MISMATCH: {
    retriable: false,
    meaning: 'A search would compare vectors of two different models',
  },
  ID_AMBIGUOUS: { retriable: false, meaning: 'Several sources of the collection have an item of this id' },
  PRUNE_REFUSED: {
    meaning: 'What a source no longer lists is so much, or so uncertain, that it is not taken out',
    retriable: false,
  },
  SOURCE_UNKNOWN: { retriable: false, meaning: 'The index has no source of this name' },
  SOURCE_TAKEN: { retriable: false, meaning: 'The index has a source of this name already' },
  SOURCE_BUSY: { retriable: true, meaning: 'A run over the source is under way' },
  SOURCE_MOVED: {
    retriable: false,
    meaning: 'A source of this name was indexed from another place',
  },
  SOURCE_OUTSIDE: {
    retriable: false,
    meaning: 'A source or a picture lies outside of the folders that a server may read',
  },
  UPLOAD_QUOTA: { retriable: false, meaning: 'Uploads would take more disk than the server gives them' },
  JOBS_WAITING: { retriable: true, meaning: 'As many jobs as the server keeps wait already' },
  JOB_CONFLICT: {
    retriable: false,
    meaning: 'A job cannot be what is asked of it in the state that it is in',
  },
  SEARCH_ITEM_NOT_FOUND: { retriable: false, meaning: 'The item to search by is not in the index' },
  GENERATION_NOT_FOUND: { retriable: false, meaning: 'The index has no generation of this name' },
  GENERATION_BUSY: { retriable: true, meaning: 'A generation serves its collection, or a run works in it' },
  REMOVAL_UNCONFIRMED: {
    retriable: false,
    meaning: 'More items match than a request to delete them expected',
  },
  ROUTE_NOT_FOUND: {
    retriable: false,
    meaning: 'The server has nothing at this path, or not by this method',
  },
  BODY_INVALID: { retriable: false, meaning: 'The body of a request cannot be understood' },
  BODY_TOO_LARGE: { retriable: false, meaning: 'A request is larger than the server takes' },
  BODY_UNSUPPORTED: { retriable: false, meaning: 'The body of a request is of a type that is not read here' },
  KEY_REQUIRED: { retriable: false, meaning: 'The server asks for a key, and was given none that it knows' },
  SCOPE_MISSING: { retriable: false, meaning: 'The key of a request may not do what was asked' },
  ORIGIN_REFUSED: {
    retriable: false,
    meaning: 'A request comes from a web page that may not ask this server',
  },
  HOST_REFUSED: { retriable: false, meaning: 'A request names a host that this server is not' },
  RATE_LIMITED: { retriable: true, meaning: 'A key has made more requests than it may in a minute' },
  SERVER_FAILED: { retriable: true, meaning: 'The server met something unexpected, which its log has' },
  COLLECTION_NOT_FOUND: { retriable: false, meaning: 'The index has no collection of this name' },
} as const satisfies Record<string, { readonly retriable: boolean; readonly meaning: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** What says nothing of the item that was worked on: it ends the work, and no item is listed for it. */
const OF_THE_MACHINE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'DEVICE_LOST',
  'DEVICE_WRONG',
  'DECODER_UNAVAILABLE',
  'THREAD_UNAVAILABLE',
  'MACHINE_FAILED',
]);

/** Whether an error is one of the machine, for a person to mend, and no item's fault. */
export function isOfTheMachine(error: unknown): error is VlmoError {
  return error instanceof VlmoError && OF_THE_MACHINE.has(error.code);
}

/** Whether a device is the cause, which computed before: a process that starts anew may find it well. */
export function isOfTheDevice(error: unknown): error is VlmoError {
  return error instanceof VlmoError && (error.code === 'DEVICE_LOST' || error.code === 'DEVICE_WRONG');
}

/** An error as plain data: what crosses threads (structuredClone drops an error's class and code). */
export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
}

/** Of a value that is refused: where it stands, what belongs there, and what was there. */
export interface ErrorDetails {
  readonly field: string;
  readonly expected: string;
  readonly received: string;
}

interface ErrorOptions {
  readonly cause?: unknown;
  readonly details?: ErrorDetails;
  readonly retryAfterMs?: number | undefined;
}

export class VlmoError extends Error {
  override readonly name = 'VlmoError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails | undefined;

  /** Milliseconds after which the same may succeed, where that is known. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(shortened(message), 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.details = options.details;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** Whether the same action may succeed later without anybody changing anything. */
  get retriable(): boolean {
    return ERROR_CODES[this.code].retriable;
  }
}

/** The error as data; anything that is not ours becomes `fallback`, with its message kept. */
export function toErrorData(error: unknown, fallback: ErrorCode): ErrorData {
  if (error instanceof VlmoError) {
    const { code, message, retryAfterMs } = error;
    return { code, message, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  }
  return { code: fallback, message: errorMessage(error) };
}

/** Longest message: two paths of the longest there are, and what is said of them. */
const MAX_MESSAGE = 10_000;
const KEPT = 2000;

/** A message that repeats megabytes of what somebody brought, shortened in its middle. */
export function shortened(message: string): string {
  if (message.length <= MAX_MESSAGE) return message;
  const [head, tail] = [message.slice(0, KEPT), message.slice(-KEPT)];
  return `${head}… (${message.length} characters in all) …${tail}`.toWellFormed();
}

/** The message of whatever was thrown. */
export function errorMessage(error: unknown): string {
  return shortened(error instanceof Error ? error.message : String(error));
}
