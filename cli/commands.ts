import type { CommandName } from '#config/commands.ts';
import type { RunCommand } from './call.ts';

/** What each command does. Its code is loaded when it is called: help and usage errors need none of it. */
export const RUN: { readonly [Name in CommandName]: () => Promise<RunCommand<Name>> } = {
  index: async () => (await import('./index-command.ts')).runIndex,
  search: async () => (await import('./search-command.ts')).runSearch,
  retrieve: async () => (await import('./retrieve-command.ts')).runRetrieve,
  export: async () => (await import('./export-command.ts')).runExport,
  'import-vectors': async () => (await import('./import-vectors-command.ts')).runImportVectors,
  failures: async () => (await import('./failures-command.ts')).runFailures,
  sources: async () => (await import('./sources-command.ts')).runSources,
  'sources rename': async () => (await import('./rename-source-command.ts')).runRenameSource,
  remove: async () => (await import('./remove-command.ts')).runRemove,
  optimize: async () => (await import('./optimize-command.ts')).runOptimize,
  evaluate: async () => (await import('./evaluate-command.ts')).runEvaluate,
  submit: async () => (await import('./submit-command.ts')).runSubmit,
  worker: async () => (await import('./worker-command.ts')).runWorker,
  status: async () => (await import('./status-command.ts')).runStatus,
  'queue pause': async () => (await import('./queue-command.ts')).runPause,
  'queue resume': async () => (await import('./queue-command.ts')).runResume,
  'queue drain': async () => (await import('./queue-command.ts')).runDrain,
  'queue clean': async () => (await import('./queue-command.ts')).runClean,
  'queue retry-failed': async () => (await import('./queue-command.ts')).runRetryFailed,
  serve: async () => (await import('./serve-command.ts')).runServe,
  embed: async () => (await import('./embed-command.ts')).runEmbed,
  'model import': async () => (await import('./model-command.ts')).runImport,
  'model inspect': async () => (await import('./model-command.ts')).runInspect,
  'model relocate': async () => (await import('./model-command.ts')).runRelocate,
  copy: async () => (await import('./copy-command.ts')).runCopy,
  doctor: async () => (await import('./doctor-command.ts')).runDoctor,
  config: async () => (await import('./config-command.ts')).runConfig,
};

/** Commands that do nothing but print: without their output there is nothing left of them. */
export const ONLY_PRINT: ReadonlySet<CommandName> = new Set<CommandName>([
  'search',
  'failures',
  'sources',
  'status',
  'embed',
  'model inspect',
  'config',
]);
