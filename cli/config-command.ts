import type { Use } from '#config/command.ts';
import { COMMANDS, type CommandConfig, type CommandName } from '#config/commands.ts';
import { CONFIG_FILE, readConfigFile } from '#config/config-file.ts';
import { envName, flagName, type OptionSpec } from '#config/option.ts';
import { ALL_OPTIONS, type OptionName } from '#config/options.ts';
import { type ConfigSources, type Origin, resolveOption } from '#config/resolve.ts';
import { errorMessage, VlmoError } from '#errors.ts';
import { DEFAULT_REDIS_URL, describeAddress, parseRedisUrl } from '#queue/address.ts';
import { EXIT_DONE, EXIT_FAILED } from './exit-codes.ts';
import { note, print, printJson, table } from './output.ts';

interface Row {
  readonly option: string;
  readonly flag: string | null;
  readonly env: string;
  /** null where nobody said anything and there is no default. */
  readonly value: unknown;
  readonly origin: Origin | 'invalid';
  /** Why a value cannot be used. */
  readonly reason: string | null;
}

/** `vlmo config`: what every option is set to here, and who said so. Exit code 1 where a value cannot be used. */
export async function runConfig(
  { json }: CommandConfig<'config'>,
  [words]: readonly [readonly string[]],
): Promise<void> {
  const sources = { flags: {}, env: process.env, file: await readConfigFile() };
  const rows = Object.entries(usesOf(words)).map(([name, use]) => toRow(name as OptionName, use, sources));
  if (words.length === 0) rows.push(redisRow());
  for (const row of rows) if (json) printJson(row);
  if (!json) print(table(rows.map(toCells)));
  for (const variable of unknownVariables()) note(`${variable} is set, and no option has that name.`);
  process.exitCode = rows.some(({ reason }) => reason !== null) ? EXIT_FAILED : EXIT_DONE;
}

/** The options of a command, or all there are. */
function usesOf(words: readonly string[]): Readonly<Record<string, Use>> {
  if (words.length === 0) return Object.fromEntries(Object.keys(ALL_OPTIONS).map((name) => [name, {}]));
  const command = words.join(' ');
  if (Object.hasOwn(COMMANDS, command)) return COMMANDS[command as CommandName].options;
  const expected = Object.keys(COMMANDS).join(', ');
  throw new VlmoError(
    'USAGE_INVALID',
    `Cannot show options: expected one of ${expected}, received "${command}"`,
  );
}

function toRow(option: OptionName, use: Use, sources: ConfigSources): Row {
  const spec: OptionSpec = ALL_OPTIONS[option];
  const names = { option, flag: flagName(spec), env: envName(spec) };
  try {
    const { value = null, origin } = resolveOption(option, use, sources);
    return { ...names, value, origin, reason: null };
  } catch (error) {
    return { ...names, value: null, origin: 'invalid', reason: errorMessage(error) };
  }
}

function toCells({ flag, env, value, origin, reason }: Row): string[] {
  const name = flag ?? env;
  const shown = value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);
  const by = {
    flag: name,
    environment: env,
    file: CONFIG_FILE,
    default: value === null ? '' : 'default',
    invalid: reason ?? '',
  };
  return [name, shown, by[origin]];
}

/** Its password is not shown. */
function redisRow(): Row {
  const said = process.env.REDIS_URL;
  const names = { option: 'redisUrl', flag: null, env: 'REDIS_URL' };
  try {
    const value = describeAddress(parseRedisUrl(said || DEFAULT_REDIS_URL));
    return { ...names, value, origin: said ? 'environment' : 'default', reason: null };
  } catch (error) {
    return { ...names, value: null, origin: 'invalid', reason: errorMessage(error) };
  }
}

function unknownVariables(): string[] {
  const known = new Set(Object.values(ALL_OPTIONS).map(envName));
  return Object.keys(process.env).filter((name) => name.startsWith('VLMO_') && !known.has(name));
}
