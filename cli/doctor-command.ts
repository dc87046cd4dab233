import type { CommandConfig } from '#config/commands.ts';
import { examine } from '#doctor/examine.ts';
import type { Finding, FindingState } from '#doctor/finding.ts';
import { VlmoError } from '#errors.ts';
import { renewIndexId } from '#store/lance/index-folder.ts';
import { renewTables } from '#store/lance/renew-tables.ts';
import { EXIT_DONE, EXIT_FAILED, EXIT_ITEMS_FAILED } from './exit-codes.ts';
import { noteEvery } from './note-every.ts';
import { formatCount, print, printJson } from './output.ts';

const WORDS: Readonly<Record<FindingState, string>> = {
  ok: 'ok    ',
  note: 'note  ',
  faulty: 'FAULTY',
  broken: 'BROKEN',
};

type DoctorConfig = CommandConfig<'doctor'>;

/** `vlmo doctor`: tries out all that the other commands need, and says what is missing and how to get it. */
export async function runDoctor(config: DoctorConfig): Promise<void> {
  if (config.newId) return giveNewId(config);
  if (config.renewTables) return renewLostTables(config);
  const states = new Set<FindingState>();
  let rows = 0;
  using _ = config.index === undefined ? undefined : noteEvery(() => `${formatCount(rows)} rows looked at`);
  const { device, index } = config;
  const onRows = (count: number): void => {
    rows += count;
  };
  for await (const finding of examine({ device, index, redisUrl: process.env.REDIS_URL, onRows })) {
    states.add(finding.state);
    show(finding, config);
  }
  process.exitCode = states.has('broken')
    ? EXIT_FAILED
    : states.has('faulty')
      ? EXIT_ITEMS_FAILED
      : EXIT_DONE;
}

/** A copy of an index has the id of the original, and with it its queue. */
async function giveNewId({ index, json }: DoctorConfig): Promise<void> {
  if (index === undefined)
    throw new VlmoError(
      'USAGE_INVALID',
      'Cannot give a new id: expected --index FOLDER beside --new-id, received none',
    );
  const id = await renewIndexId(index);
  if (json) printJson({ index, id });
  else print(`Index ${index} has the id ${id} from now on, and a queue of its own. Start its workers again.`);
  process.exitCode = EXIT_DONE;
}

/** What a lost table held is lost; without it, nothing else of the index could be used. */
async function renewLostTables({ index, json }: DoctorConfig): Promise<void> {
  if (index === undefined)
    throw new VlmoError(
      'USAGE_INVALID',
      'Cannot renew tables: expected --index FOLDER beside --renew-tables, received none',
    );
  const renewed = await renewTables(index);
  if (json) printJson({ index, renewed });
  else if (renewed.length === 0) print('No table of runs or failures is gone or damaged.');
  else
    print(
      `Made anew, empty: ${renewed.join(', ')}. What they held is lost; run vlmo index again to list what fails.`,
    );
  process.exitCode = EXIT_DONE;
}

function show({ name, state, detail, data }: Finding, { json }: DoctorConfig): void {
  if (json) printJson({ check: name, state, detail, ...data });
  else print(`${WORDS[state]}  ${name.padEnd(16)}  ${detail}`);
}
