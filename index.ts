// onnxruntime would send telemetry. Read when its first session is made, after all imports.
process.env.ORT_DISABLE_TELEMETRY ??= '1';

/** What other programs use: a model to run, a pipeline to feed, an index to search. */
export { type ErrorCode, VlmoError } from './errors.ts';
export { type ModelFolder, openModelFolder } from './model/vlmo/folder.ts';
export { importCheckpoint } from './model/vlmo/import.ts';
export type { Tensor } from './model/vlmo/inputs.ts';
export { loadVlmo, type Vlmo } from './model/vlmo/vlmo.ts';
export { type PreprocessMode, preprocess } from './pictures/preprocess.ts';
export { parseRedisUrl, type RedisAddress } from './queue/address.ts';
export { closeRedis, connectRedis, type RedisClient } from './queue/connection.ts';
export type { Query } from './queue/job.ts';
export { createQueryClient, type QueryClient } from './queue/query-client.ts';
export { type IndexJob, type IndexSummary, indexSource } from './runs/index-source.ts';
export { composeVector, parseQueryText, type WeightedText } from './search/compose-query.ts';
export { embedQuery } from './search/query.ts';
export type { Hit, SearchAnswer, SearchRequest } from './search/request.ts';
export { search } from './search/search.ts';
export { openSource } from './sources/open-source.ts';
export { openStore } from './store/lance/open-store.ts';
export { createPreprocessPool } from './workers/decode/preprocess-pool.ts';
export { createInferencePool } from './workers/threads/pools.ts';
