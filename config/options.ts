import { COMPUTE_OPTIONS } from './compute-options.ts';
import { FETCH_OPTIONS } from './fetch-options.ts';
import { FILE_OPTIONS } from './file-options.ts';
import { INDEX_OPTIONS } from './index-options.ts';
import type { OptionType } from './option.ts';
import { QUEUE_OPTIONS } from './queue-options.ts';
import { SEARCH_OPTIONS } from './search-options.ts';
import { SERVE_OPTIONS } from './serve-options.ts';

/** All options there are, each under one name; by what they are about. */
export const OPTION_GROUPS = {
  'What computes': COMPUTE_OPTIONS,
  'Index and sources': INDEX_OPTIONS,
  Downloading: FETCH_OPTIONS,
  Searching: SEARCH_OPTIONS,
  'Many queries, measurements, models': FILE_OPTIONS,
  'Queued work': QUEUE_OPTIONS,
  Serving: SERVE_OPTIONS,
} as const;

export const ALL_OPTIONS = {
  ...COMPUTE_OPTIONS,
  ...INDEX_OPTIONS,
  ...FETCH_OPTIONS,
  ...SEARCH_OPTIONS,
  ...FILE_OPTIONS,
  ...QUEUE_OPTIONS,
  ...SERVE_OPTIONS,
} as const;

type AllOptions = typeof ALL_OPTIONS;
export type OptionName = keyof AllOptions;
/** What an option's value is, where it has one. */
export type OptionValue<Name extends OptionName> =
  AllOptions[Name]['type'] extends OptionType<infer Value> ? Value : never;
/** The configuration of the options of these names, frozen; undefined is what nobody said and has no default. */
export type Config<Name extends OptionName> = {
  readonly [Key in Name]:
    | OptionValue<Key>
    | (AllOptions[Key] extends { readonly default: unknown } ? never : undefined);
};
