/** What other programs use: an opened index, and a model by itself. docs/library.md shows how. */
export { type ErrorCode, VlmoError } from './errors.ts';
export type { Exported, ExportProgress } from './exports/export-tables.ts';
export type { ExportRequest } from './exports/request.ts';
export { type ModelFolder, openModelFolder } from './model/vlmo/folder.ts';
export { importCheckpoint } from './model/vlmo/import.ts';
export type { Tensor } from './model/vlmo/inputs.ts';
export { loadVlmo, type Vlmo } from './model/vlmo/vlmo.ts';
export { parseRedisUrl, type RedisAddress } from './queue/address.ts';
export { closeRedis, connectRedis, type RedisClient } from './queue/connection.ts';
export type { Query } from './queue/job.ts';
export { createQueryClient, type QueryClient } from './queue/query-client.ts';
export type { GoneItems } from './runs/pass.ts';
export { composeVector, parseQueryText, type WeightedText } from './search/compose-query.ts';
export type {
  Answers,
  EmbedRequest,
  Hit,
  MatchRequest,
  PairsRequest,
  RetrieveRequest,
  SearchAnswer,
  SearchRequest,
} from './search/request.ts';
export type {
  CalibratedModel,
  CalibrateOptions,
  CallOptions,
  EvaluateOptions,
  Evaluation,
  GoneOptions,
  ImportOptions,
  IndexCallOptions,
  Indexed,
  ItemsOptions,
  Match,
  MeasuredRecall,
  MeasureOptions,
  OpenIndex,
  OptimizedTable,
  OptimizeOptions,
  ProgressOptions,
  Removed,
  SearchOptions,
  Sources,
  SubmitOptions,
  VectorsImported,
} from './service/contract.ts';
export { type CopyOptions, copyIndexTo } from './service/copy-index.ts';
export type { OpenIndexOptions } from './service/index-parts.ts';
export { openIndex } from './service/open-index.ts';
export type { RemoveRequest } from './service/remove-request.ts';
export type { Item, Source } from './sources/item.ts';
