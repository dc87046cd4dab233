import { choice, either, type OptionSpec, present, wholeNumber } from './option.ts';

/** How jobs are made of a source (`vlmo submit`) and taken (`vlmo worker`). */
export const QUEUE_OPTIONS = {
  embeddedRedis: {
    flag: '--embedded-redis',
    type: present,
    default: false,
    sentence: "A Redis of the index's own, on this machine only, in place of the one that REDIS_URL names",
  },
  queued: {
    flag: '--queued',
    type: present,
    default: false,
    sentence: 'Let a running "vlmo worker" answer, which has the model loaded already',
  },
  priority: {
    flag: '--priority <priority>',
    type: choice('urgent', 'normal', 'bulk'),
    default: 'normal',
    sentence: 'Which jobs go first',
  },
  wait: {
    flag: '--wait',
    type: present,
    default: false,
    sentence: 'Follow the run to its end',
  },
  watch: {
    flag: '--watch',
    type: present,
    default: false,
    sentence: 'Go on saying it, until the run is over',
  },
  chunkItems: {
    flag: '--chunk-items <items>',
    type: wholeNumber(1, 4096),
    default: 256,
    sentence: 'Items of one job',
  },
  maxWaiting: {
    flag: '--max-waiting <jobs>',
    type: wholeNumber(1, 10_000_000),
    default: 4096,
    sentence: 'Jobs that may wait in Redis before a submission waits too: what bounds its memory',
  },
  concurrency: {
    flag: '--concurrency <jobs>',
    type: wholeNumber(1, 256),
    default: 4,
    sentence: 'Jobs that a worker has in hand at a time; more than one, so that the threads never wait',
  },
  drainTimeout: {
    flag: '--drain-timeout <seconds>',
    type: wholeNumber(1, 86_400),
    default: 30,
    sentence:
      'How long a worker that is told to stop goes on with what it has; the rest goes back to the queue',
  },
  lockDuration: {
    flag: '--lock-duration <seconds>',
    type: wholeNumber(1, 3600),
    default: 30,
    sentence: 'How long a job stays with a worker that gives no sign of life, before another one gets it',
  },
  redisPatience: {
    flag: '--redis-patience <seconds>',
    type: either(choice('auto', 'forever'), wholeNumber(1, 86_400)),
    default: 'auto',
    sentence:
      'How long what Redis refuses or does not answer is tried again; "auto": "forever" in a worker, 300 in "vlmo submit" and "vlmo queue retry-failed", 30 in a query and the rest of "vlmo queue"',
  },
  logLevel: {
    flag: '--log-level <level>',
    type: choice('debug', 'info', 'warn', 'error'),
    default: 'info',
    sentence: 'The least of what a worker logs',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>;
