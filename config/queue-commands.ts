import {
  type CommandSpec,
  FETCHING,
  NEW_INDEX,
  PICTURE_LIMITS,
  POOLS,
  plain,
  READING,
  RERANKER,
  SOURCE,
  THE_INDEX,
} from './command.ts';

const QUEUE_ACTION = {
  index: THE_INDEX,
  ...plain('json', 'embeddedRedis', 'redisPatience'),
} as const;

/** Commands of queued work, in the order of the help. */
export const QUEUE_COMMANDS = {
  submit: {
    sentence:
      'Put the pictures and captions of a folder or a manifest into the queue, for "vlmo worker" to index; running it again goes on where it stopped',
    arguments: [['<source>', `${SOURCE}, where the workers see it too`]],
    options: {
      index: NEW_INDEX,
      ...plain('model', 'collection', 'priority', 'retryFailed', 'wait', 'json'),
      ...plain('source', 'sourceMoved', 'imagesOf', 'verify', 'prune', 'dryRun'),
      ...READING,
      ...plain('embeddedRedis', 'redisPatience', 'preprocess', 'chunkItems', 'maxWaiting'),
    },
  },
  worker: {
    sentence:
      'Take the jobs of an index until told to stop (Ctrl-C, SIGTERM); any number of workers may, on any number of machines',
    options: {
      index: THE_INDEX,
      json: { sentence: 'The log is JSON lines on stderr; accepted so that every command takes it' },
      ...plain(
        'embeddedRedis',
        'concurrency',
        'drainTimeout',
        'lockDuration',
        'maxWaiting',
        'redisPatience',
        'logLevel',
        'device',
        'precision',
      ),
      ...RERANKER,
      ...POOLS,
      ...PICTURE_LIMITS,
      ...FETCHING,
    },
  },
  status: {
    sentence: 'Say how the runs of an index stand: one, or all that were submitted',
    arguments: [['[run]', 'the id of a run']],
    options: {
      index: THE_INDEX,
      ...plain('watch'),
      json: { sentence: 'Print JSON, one object a run' },
      ...plain('embeddedRedis'),
    },
  },
  'queue pause': {
    sentence: 'Let no more chunk jobs be taken; searches go on',
    options: QUEUE_ACTION,
  },
  'queue resume': {
    sentence: 'Let chunk jobs be taken again',
    options: QUEUE_ACTION,
  },
  'queue drain': {
    sentence: 'Take away all that waits and end the runs it is of; what is stored stays',
    options: QUEUE_ACTION,
  },
  'queue clean': {
    sentence: 'Forget the jobs that are over; what they did stays in the index',
    options: QUEUE_ACTION,
  },
  'queue retry-failed': {
    sentence: 'Try again what is listed as failed',
    options: {
      ...QUEUE_ACTION,
      ...plain('collection', 'chunkItems', 'maxWaiting'),
    },
  },
} as const satisfies Readonly<Record<string, CommandSpec>>;
