import type { Config } from '#config/options.ts';

export type FetchConfig = Config<
  | 'fetchAllows'
  | 'fetchOnlyAllowed'
  | 'fetchConcurrency'
  | 'fetchPerHost'
  | 'fetchTimeout'
  | 'fetchRetries'
  | 'fetchMemory'
  | 'ignoreRobots'
>;

/** What of a command's options says how pictures are downloaded. */
export function fetchSettings(config: FetchConfig): FetchConfig {
  const { fetchAllows, fetchOnlyAllowed, ignoreRobots } = config;
  const { fetchConcurrency, fetchPerHost, fetchTimeout, fetchRetries, fetchMemory } = config;
  const limits = { fetchConcurrency, fetchPerHost, fetchTimeout, fetchRetries, fetchMemory };
  return { fetchAllows, fetchOnlyAllowed, ignoreRobots, ...limits };
}
