import type { Command } from 'commander';
import { ALL_OPTIONS, type Config, type OptionName } from '#config/options.ts';
import { readConfigFile, resolveConfig } from '#config/resolve.ts';

/** Adds the flags of these options to a command. */
export function addConfigOptions(command: Command, names: readonly OptionName[]): Command {
  for (const name of names) {
    const { flag, sentence, env, default: initial } = ALL_OPTIONS[name];
    command.option(flag, `${sentence} (${env}; default: ${initial})`);
  }
  return command;
}

/** What these options are set to, by flags, environment and file. Throws CONFIG_INVALID. */
export async function readConfig<Name extends OptionName>(
  names: readonly Name[],
  flags: object,
): Promise<Config<Name>> {
  const file = await readConfigFile();
  return resolveConfig(names, { flags: { ...flags }, env: process.env, file });
}
