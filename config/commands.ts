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
import type { ALL_OPTIONS, OptionName, OptionValue } from './options.ts';
import { QUEUE_COMMANDS } from './queue-commands.ts';

const MOVED_MODEL = { sentence: 'Where the model of the collection lies now, if it moved' };
const IN_IMAGES = { default: 'images' } as const;
const SUMMARY = { sentence: 'Print a summary as JSON' };

/** Commands that are only there to hold others. */
export const COMMAND_GROUPS = {
  queue: 'Pause, resume, empty and mend the queue of an index',
  model: 'Import and look at models',
  sources: 'List and name the sources of an index',
} as const;

/** All commands there are; `queue pause` is the command `pause` of the group `queue`. In the order of the help. */
export const COMMANDS = {
  index: {
    sentence:
      'Index the pictures and captions of a folder or a manifest; running it again goes on where it stopped',
    arguments: [['<source>', SOURCE]],
    options: {
      index: NEW_INDEX,
      ...plain(
        'model',
        'collection',
        'source',
        'sourceMoved',
        'imagesOf',
        'verify',
        'prune',
        'dryRun',
        'retryFailed',
      ),
      json: SUMMARY,
      ...READING,
      ...plain('device', 'precision', 'preprocess'),
      ...POOLS,
      ...PICTURE_LIMITS,
      ...FETCHING,
    },
  },
  search: {
    sentence: 'Find pictures or captions by text, by picture, or by what is stored already',
    arguments: [
      ['[text]', 'what to look for; or parts in double quotes: \'"red apple"^2 "table" -"people"\''],
    ],
    options: {
      index: THE_INDEX,
      ...plain('collection', 'image', 'imageWeight', 'id', 'key'),
      source: { sentence: 'Beside an id that several sources have: the name of one of them' },
      in: IN_IMAGES,
      ...plain(
        'k',
        'where',
        'minScore',
        'rerank',
        'minMatch',
        'groupBy',
        'hybrid',
        'keywords',
        'meta',
        'approximate',
        'cursor',
      ),
      model: MOVED_MODEL,
      ...RERANKER,
      ...plain('queued', 'json', 'embeddedRedis', 'redisPatience', 'device', 'precision'),
      ...PICTURE_LIMITS,
    },
  },
  retrieve: {
    sentence: 'Answer many queries into a Parquet file, a row a hit; run it again to go on where it stopped',
    options: {
      index: THE_INDEX,
      ...plain('collection', 'queries', 'in'),
      k: { sentence: 'Hits of a query at most' },
      ...plain('where', 'minScore'),
      rerank: {
        sentence:
          'Read so many of the best of each query again together with it, by the fusion encoder or by --reranker',
      },
      ...RERANKER,
      ...plain('pairs', 'threshold'),
      out: { isRequired: true },
      model: MOVED_MODEL,
      queued: {
        sentence: 'Let a running "vlmo worker" do it; the file goes into the folder "results" of the index',
      },
      json: SUMMARY,
      ...plain('embeddedRedis', 'redisPatience', 'device', 'precision'),
      ...POOLS,
      ...PICTURE_LIMITS,
    },
  },
  export: {
    sentence:
      'Write a collection into files that other programs read; run it again to go on where it stopped',
    arguments: [['<out>', 'the folder to write: new, empty, or of an export that was stopped']],
    options: {
      to: { isRequired: true },
      index: THE_INDEX,
      ...plain('collection', 'generation'),
      in: { sentence: 'Only these; left out, both, or with --where the pictures' },
      ...plain('where', 'partRows', 'failures'),
      json: SUMMARY,
    },
  },
  'import-vectors': {
    sentence:
      "Search vectors that were computed elsewhere, of a folder in clip-retrieval's layout; running it again goes on where it stopped",
    arguments: [['<folder>', 'the folder: img_emb, text_emb and metadata']],
    options: {
      index: NEW_INDEX,
      ...plain('collection'),
      source: { sentence: 'Name of the source of what this program did not export; left out, the folder' },
      model: { sentence: 'The model that made them, for texts and pictures; left out, none is known' },
      json: SUMMARY,
    },
  },
  failures: {
    sentence: 'List the items that could not be indexed, and why',
    options: {
      index: THE_INDEX,
      collection: { default: undefined, sentence: 'Only of this collection' },
      json: { sentence: 'Print one JSON object a line' },
    },
  },
  sources: {
    sentence: 'List the sources that the items of an index came from, with counts',
    options: {
      index: THE_INDEX,
      json: { sentence: 'Print one JSON object a line' },
    },
  },
  'sources rename': {
    sentence: 'Give a source another name; what is stored of it keeps its vectors',
    arguments: [
      ['<old>', 'the name of the source, as "vlmo sources" has it'],
      ['<new>', 'its other name; the next run over its place says it with --source'],
    ],
    options: { index: THE_INDEX, ...plain('json') },
  },
  remove: {
    sentence:
      'Take items out of a collection, with the captions of pictures that go; running it again goes on where it stopped',
    options: {
      index: THE_INDEX,
      ...plain('collection'),
      id: { sentence: 'The item of this id; a picture before a caption' },
      key: { sentence: 'The item that the index knows by this key' },
      source: { sentence: 'All of this source; beside an id that several have, the one that is meant' },
      where: { sentence: 'What matches, pictures unless --in says captions; with --source, only of that' },
      ...plain('all'),
      in: { sentence: 'Only these; the captions of a picture go with it in any case' },
      ...plain('dryRun'),
      json: SUMMARY,
    },
  },
  optimize: {
    sentence:
      'Compact the tables of an index; build an approximate index of the vectors, and measure what it finds and how fast',
    options: {
      index: THE_INDEX,
      ...plain('collection', 'ann', 'dropAnn', 'measure'),
      queries: {
        flag: '--queries <file>',
        sentence: 'With --measure, a text query a line; left out, what the collection stores',
      },
      ...plain('sample', 'seed'),
      k: { sentence: 'With --measure, hits of a query' },
      ...plain('plot'),
      model: { sentence: 'With --queries, where the model of the collection lies now, if it moved' },
      ...plain('json'),
    },
  },
  evaluate: {
    sentence:
      'Measure retrieval over the pictures and captions of a collection: recall@1, 5 and 10 both ways, as papers do',
    arguments: [
      [
        '[source]',
        'indexed into the collection first: a folder, a table or a tar, as for index; left out, what is stored',
      ],
    ],
    options: {
      index: NEW_INDEX,
      ...plain('model', 'collection'),
      where: { sentence: 'Only pictures and captions that match, e.g. "meta.split = \'test\'"' },
      rerank: {
        sentence:
          'Read so many of the first again by the fusion encoder, at least 10; 32 of them too where it is more',
      },
      ...RERANKER,
      ...plain('partial', 'calibrate'),
      sample: {
        default: 500,
        sentence: 'With --calibrate, how many captions are read with nine pictures each',
      },
      seed: { sentence: 'Of what is drawn, for intervals or pairs: the same for the same number' },
      json: { sentence: "Print JSON in CLIP_benchmark's form, an object for each order of the hits" },
      ...READING,
      ...plain('device', 'precision', 'preprocess'),
      ...POOLS,
      ...PICTURE_LIMITS,
    },
  },
  ...QUEUE_COMMANDS,
  serve: {
    sentence: 'Answer searches, embeddings and more over HTTP until told to stop (Ctrl-C, SIGTERM)',
    options: {
      index: THE_INDEX,
      ...plain('host', 'port', 'keysFile', 'allowAnonymous', 'corsOrigins', 'basePath', 'forwarders'),
      collection: { sentence: 'The collection whose model and vectors are loaded at the start' },
      model: MOVED_MODEL,
      ...RERANKER,
      ...plain(
        'rateLimit',
        'maxBodyBytes',
        'thumbnailBytes',
        'idleUnload',
        'fetch',
        'sourceRoots',
        'uploadQuota',
        'clipCompat',
      ),
      queued: { sentence: 'Put jobs into the queue, for "vlmo worker" to index, in place of indexing here' },
      ...plain('embeddedRedis', 'redisPatience'),
      drainTimeout: { sentence: 'How long a server that is told to stop goes on with what it was asked' },
      ...plain('logFormat'),
      logLevel: { sentence: 'The least of what the server logs' },
      json: { sentence: 'Print the address as JSON once it listens' },
      ...plain('device', 'precision'),
      ...POOLS,
      ...PICTURE_LIMITS,
      ...FETCHING,
    },
  },
  embed: {
    sentence: 'Print the vectors of pictures and texts, one JSON object a line',
    options: {
      model: { isRequired: true, sentence: 'A model folder, or "demo"' },
      ...plain('images', 'texts'),
      pairs: {
        sentence:
          'Score the i-th picture with the i-th text instead: cosine, and match by the fusion encoder',
      },
      ...plain('preprocess'),
      json: { sentence: 'JSON lines are all there is; accepted so that every command takes it' },
      ...plain('device', 'precision'),
      ...PICTURE_LIMITS,
    },
  },
  'model import': {
    sentence: 'Turn a PyTorch checkpoint of VLMo or BEiT-3 into a model folder',
    arguments: [['<checkpoint>', 'the .pt file; it is read without running anything in it']],
    options: {
      ...plain('vocab', 'spm'),
      out: {
        isRequired: true,
        flag: '--out <folder>',
        sentence: 'The model folder to write; must not exist',
      },
      ...plain('imageSize', 'heads', 'dtype', 'json'),
    },
  },
  'model inspect': {
    sentence: 'Print what a model is',
    arguments: [['<folder>', 'a model folder, or "demo"']],
    options: plain('json'),
  },
  'model relocate': {
    sentence: 'Tell an index where the model of its collections lies now; another model is refused',
    arguments: [['<folder>', 'the model folder']],
    options: { index: THE_INDEX, ...plain('json') },
  },
  copy: {
    sentence: 'Copy an index, a backup or back from one, verified; running it again goes on where it stopped',
    arguments: [
      ['<from>', 'the index'],
      ['<to>', 'the folder to write: new, empty, or of a copying that was stopped'],
    ],
    options: {
      newId: { sentence: 'Give the copy an id of its own, and so a queue of its own, to work on both' },
      json: SUMMARY,
    },
  },
  doctor: {
    sentence: 'Try out the devices, picture decoding, store, Redis and disk of this machine',
    options: {
      index: { sentence: 'Also look the index there through, from its tables to every row' },
      json: { sentence: 'Print one JSON object a check' },
      ...plain('newId', 'renewTables', 'device'),
    },
  },
  config: {
    sentence: 'Print what every option is set to here, and where each value comes from',
    arguments: [['[command...]', 'only the options of this command, e.g. "queue retry-failed"']],
    options: { json: { sentence: 'Print one JSON object an option' } },
  },
} as const satisfies Readonly<Record<string, CommandSpec>>;

export type CommandName = keyof typeof COMMANDS;
type Options<Name extends CommandName> = (typeof COMMANDS)[Name]['options'];

/** What a command is set to, frozen; undefined is what nobody said and has no default. */
export type CommandConfig<Name extends CommandName> = {
  readonly [Key in keyof Options<Name> & OptionName]:
    | OptionValue<Key>
    | Missing<Options<Name>[Key], (typeof ALL_OPTIONS)[Key]>;
};
type Missing<InCommand, Option> = InCommand extends { readonly isRequired: true }
  ? never
  : InCommand extends { readonly default: infer Default }
    ? Extract<Default, undefined>
    : Option extends { readonly default: unknown }
      ? never
      : undefined;

/** The arguments of a command, in order. */
export type CommandArguments<Name extends CommandName> = (typeof COMMANDS)[Name] extends {
  readonly arguments: infer List extends readonly (readonly [string, string])[];
}
  ? { readonly [Place in keyof List]: ArgumentValue<List[Place][0]> }
  : readonly [];
type ArgumentValue<Name extends string> = Name extends `${string}...${string}`
  ? readonly string[]
  : Name extends `<${string}`
    ? string
    : string | undefined;
