import { VlmoError } from '#errors.ts';
import type { Use } from './command.ts';
import { COMMANDS, type CommandConfig, type CommandName } from './commands.ts';
import { CONFIG_FILE } from './config-file.ts';
import { envName, flagName, type OptionSpec } from './option.ts';
import { ALL_OPTIONS, type OptionName } from './options.ts';

/** What was said of each option, by whom. */
export interface ConfigSources {
  /** From the command line, by option name; what was not given is undefined. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** From a configuration file, by option name. */
  readonly file: Readonly<Record<string, unknown>>;
}

export type Origin = 'flag' | 'environment' | 'file' | 'default';

/** What an option is set to, and who said so. */
export interface Setting {
  readonly value: unknown;
  readonly origin: Origin;
}

/** The options of a command, each set by a flag before the environment, that before the file, that before the default. */
export interface Settings<Name extends CommandName> {
  readonly config: CommandConfig<Name>;
  origin(name: keyof CommandConfig<Name>): Origin;
}

/** Throws CONFIG_INVALID for a value that an option does not take. */
export function resolveCommand<Name extends CommandName>(
  command: Name,
  sources: ConfigSources,
): Settings<Name> {
  const settings = new Map<PropertyKey, Setting>();
  for (const [name, use] of Object.entries(COMMANDS[command].options) as [OptionName, Use][])
    settings.set(name, resolveOption(name, use, sources));
  const values = [...settings].map(([name, { value }]) => [name, value] as const);
  return {
    config: Object.freeze(Object.fromEntries(values)) as CommandConfig<Name>,
    origin: (name) => settings.get(name)?.origin ?? 'default',
  };
}

/** One option, as a command uses it. An empty environment variable says nothing. */
export function resolveOption(name: OptionName, use: Use, { flags, env, file }: ConfigSources): Setting {
  const option: OptionSpec = ALL_OPTIONS[name];
  const variable = envName(option);
  const said = [
    { origin: 'flag' as const, by: flagName(option), value: flags[name] },
    {
      origin: 'environment' as const,
      by: variable,
      value: env[variable]?.trim() === '' ? undefined : env[variable],
    },
    { origin: 'file' as const, by: `"${name}" in ${CONFIG_FILE}`, value: file[name] },
  ].find(({ value }) => value !== undefined);
  if (!said) return { value: 'default' in use ? use.default : option.default, origin: 'default' };
  const value = option.type.parse(said.value);
  if (value !== undefined) return { value, origin: said.origin };
  const expected = option.type.range === '' ? 'a text' : option.type.range;
  throw new VlmoError(
    'CONFIG_INVALID',
    `Cannot use ${said.by}: expected ${expected}, received ${JSON.stringify(said.value)}`,
  );
}
