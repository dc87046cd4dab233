import { type OptionSpec, present, texts, wholeNumber } from './option.ts';

/** How pictures are downloaded that a source names by their URLs. */
export const FETCH_OPTIONS = {
  fetchAllows: {
    flag: '--fetch-allow <host>',
    type: texts,
    sentence:
      'A host, or host:port, that pictures may be downloaded from wherever it lies, private networks too; may be given several times',
  },
  fetchOnlyAllowed: {
    flag: '--fetch-only-allowed',
    type: present,
    default: false,
    sentence: 'Download from the hosts of --fetch-allow and from no other one',
  },
  fetchConcurrency: {
    flag: '--fetch-concurrency <downloads>',
    type: wholeNumber(1, 4096),
    default: 64,
    sentence: 'Downloads at a time',
  },
  fetchPerHost: {
    flag: '--fetch-per-host <downloads>',
    type: wholeNumber(1, 256),
    default: 8,
    sentence: 'Downloads from one host at a time, over as many connections at most',
  },
  fetchTimeout: {
    flag: '--fetch-timeout <seconds>',
    type: wholeNumber(1, 3600),
    default: 30,
    sentence: 'Longest that one attempt at a download may take',
  },
  fetchRetries: {
    flag: '--fetch-retries <times>',
    type: wholeNumber(0, 20),
    default: 2,
    sentence: 'How often a download is tried again that broke off, took too long, or met 5xx or 429',
  },
  fetchMemory: {
    flag: '--fetch-memory <mebibytes>',
    type: wholeNumber(1, 65_536),
    default: 256,
    sentence: 'Memory for pictures that are downloaded and not decoded yet',
  },
  ignoreRobots: {
    flag: '--ignore-robots',
    type: present,
    default: false,
    sentence: 'Take pictures too that their servers keep from data sets (X-Robots-Tag)',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>;
