import { choice, type OptionSpec, present, text, texts, wholeNumber } from './option.ts';

/** Where `vlmo serve` listens, to whom it answers, and how much one request may ask for. */
export const SERVE_OPTIONS = {
  host: {
    flag: '--host <address>',
    type: text,
    default: '127.0.0.1',
    sentence: 'The address to listen on; any but one of this machine demands keys',
  },
  port: {
    flag: '--port <port>',
    type: wholeNumber(0, 65_535),
    default: 7373,
    sentence: 'The port to listen on; 0 takes a free one',
  },
  keysFile: {
    flag: '--keys-file <file>',
    type: text,
    sentence:
      'A file of keys, one a line as "read:KEY", "submit:KEY" or "admin:KEY"; beside those of VLMO_API_KEYS',
  },
  allowAnonymous: {
    flag: '--allow-anonymous',
    type: present,
    default: false,
    sentence: 'Listen beyond this machine without keys: whoever reaches the port may read, write and delete',
  },
  corsOrigins: {
    flag: '--cors-origin <origin>',
    type: texts,
    sentence: 'A web site whose pages may ask, e.g. "https://example.org"; may be given several times',
  },
  basePath: {
    flag: '--base-path <path>',
    type: text,
    default: '/',
    sentence: 'The path that everything lies under, as a proxy hands it on',
  },
  rateLimit: {
    flag: '--rate-limit <requests>',
    type: wholeNumber(0),
    default: 6000,
    sentence: 'Requests a minute of one key, a sixth of them at once; 0 for as many as it likes',
  },
  forwarders: {
    flag: '--forwarder <address>',
    type: texts,
    sentence:
      'Address or network of a proxy whose forwarded headers are believed; may be given several times',
  },
  maxBodyBytes: {
    flag: '--max-body-bytes <bytes>',
    type: wholeNumber(1024, 2 ** 31),
    default: 33_554_432,
    sentence: 'The largest request',
  },
  fetch: {
    flag: '--fetch',
    type: present,
    default: false,
    sentence:
      'Download pictures that requests name by public URLs; a server of this machine alone does in any case',
  },
  sourceRoots: {
    flag: '--source-root <folder>',
    type: texts,
    sentence:
      'A folder in which jobs may name sources; what lies outside is refused, links resolved; may be given several times',
  },
  uploadQuota: {
    flag: '--upload-quota <bytes>',
    type: wholeNumber(0),
    default: 10_737_418_240,
    sentence: 'Disk that uploaded pictures and tables may take beside the index',
  },
  clipCompat: {
    flag: '--clip-compat',
    type: present,
    default: false,
    sentence:
      'Answer clip-front and the client of clip-retrieval too, with keys in the path (/clip/KEY/knn-service)',
  },
  idleUnload: {
    flag: '--idle-unload <minutes>',
    type: wholeNumber(0),
    default: 0,
    sentence: 'Give a model back that was not used for so long; the next request loads it. 0 keeps it',
  },
  thumbnailBytes: {
    flag: '--thumbnail-bytes <bytes>',
    type: wholeNumber(0),
    default: 1_073_741_824,
    sentence: 'Disk that small pictures may take beside the index; the ones not asked for longest go first',
  },
  logFormat: {
    flag: '--log-format <format>',
    type: choice('auto', 'json', 'text'),
    default: 'auto',
    sentence: 'How the log is written; "auto": text on a terminal, else JSON',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>;
