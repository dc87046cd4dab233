import { Command, Option } from 'commander';
import { openQueues } from '#queue/bull-queues.ts';
import { createProducer, PRIORITIES, type Priority } from '#queue/producer.ts';
import { type Submitted, submitSource } from '#runs/submit.ts';
import { openSource } from '#sources/open-source.ts';
import { addConfigOptions, readConfig } from './config-options.ts';
import { EXIT_DONE, EXIT_INTERRUPTED } from './exit-codes.ts';
import { followRun } from './follow-run.ts';
import { addRedisOption, hintFlags, openRedis, type RedisFlags } from './open-queue.ts';
import { counted, formatCount, note, print, printJson } from './output.ts';
import { showSubmission } from './progress.ts';
import { stopOnSignals } from './signals.ts';
import { addSourceOptions, type SourceFlags, toSourceOptions } from './source-options.ts';
import { openTarget, type TargetFlags } from './target.ts';

interface SubmitFlags extends TargetFlags, SourceFlags, RedisFlags {
  readonly priority: Priority;
  readonly retryFailed?: true;
  readonly wait?: true;
  readonly json?: true;
}

const OPTIONS = ['preprocess', 'chunkItems', 'maxWaiting'] as const;

/** `vlmo submit`: a source into jobs, for workers on this machine or others. */
export function submitCommand(): Command {
  const command = new Command('submit')
    .description(
      'Put the pictures and captions of a folder or a manifest into the queue, for "vlmo worker" to index; running it again goes on where it stopped',
    )
    .argument(
      '<source>',
      'a folder, or a .csv, .tsv, .jsonl or .ndjson manifest, where the workers see it too',
    )
    .requiredOption('--index <folder>', 'the index; made if it is not there')
    .option(
      '--model <folder>',
      'a model folder, or "demo"; left out, the one the collection was indexed with',
    )
    .option('--collection <name>', 'the collection', 'default')
    .addOption(
      new Option('--priority <priority>', 'which jobs go first').choices([...PRIORITIES]).default('normal'),
    )
    .option('--retry-failed', 'try again what is listed as failed')
    .option('--wait', 'follow the run to its end')
    .option('--json', 'print JSON');
  addConfigOptions(addRedisOption(addSourceOptions(command)), OPTIONS);
  return command.action(runSubmit);
}

async function runSubmit(sourceName: string, flags: SubmitFlags): Promise<void> {
  const config = await readConfig(OPTIONS, flags);
  const sourceOptions = toSourceOptions(flags);
  const source = await openSource(sourceName, sourceOptions);
  const { store, tables } = await openTarget(flags, config.preprocess);
  await using _store = store;
  await using redis = await openRedis(store, flags);
  const queues = openQueues(redis.client, store.id);
  using signals = stopOnSignals();
  let progress: Disposable | undefined;
  try {
    const submitted = await submitSource({
      ...{ source, store, generation: tables.record, priority: flags.priority },
      producer: createProducer(queues, config.maxWaiting),
      retryFailed: flags.retryFailed === true,
      options: { ...sourceOptions },
      chunkItems: config.chunkItems,
      signal: signals.signal,
      onStart: (ask) => {
        progress = showSubmission(ask);
      },
    });
    progress?.[Symbol.dispose]();
    progress = undefined;
    report(submitted, flags);
    if (flags.wait && submitted.isWhole) await followRun(store, queues, submitted.run, signals.signal, flags);
  } finally {
    progress?.[Symbol.dispose]();
    await queues.close();
  }
}

function report(submitted: Submitted, flags: SubmitFlags): void {
  const { run, seen, chunks, added, isResumed, isWhole } = submitted;
  process.exitCode = isWhole ? EXIT_DONE : EXIT_INTERRUPTED;
  if (flags.json && !flags.wait) {
    printJson({ run, seen, jobs: chunks, added, resumed: isResumed, complete: isWhole });
    return;
  }
  const say = flags.json ? note : print;
  if (!isWhole) say('Stopped. Run the same command again to go on.');
  if (isResumed)
    note('An unfinished run over this source goes on; what is queued or done already is not added again.');
  say(
    `Run ${run}: ${counted(seen, 'item')} in ${counted(chunks, 'job')}, ${formatCount(added)} of them new in the queue.`,
  );
  if (!flags.wait)
    note(
      `Work on it: vlmo worker ${hintFlags(flags)}\nSee how far it is: vlmo status ${run} ${hintFlags(flags)}`,
    );
}
