import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { errorMessage, VlmoError } from '#errors.ts';
import { ALL_OPTIONS, type Config, type OptionName } from './options.ts';

/** What was said of each option, by whom. */
export interface ConfigSources {
  /** From the command line; what was not given is undefined. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** From a configuration file, by option name. */
  readonly file: Readonly<Record<string, unknown>>;
}

/** The file in the working directory that sets options by their names. */
export const CONFIG_FILE = 'vlmo.config.json';

/**
 * One frozen configuration of the options named: a flag counts before the environment, that before the file, that before
 * the default.
 */
export function resolveConfig<Name extends OptionName>(
  names: readonly Name[],
  { flags, env, file }: ConfigSources,
): Config<Name> {
  const unknown = Object.keys(file).filter((name) => !Object.hasOwn(ALL_OPTIONS, name));
  if (unknown.length > 0)
    throw invalid(`"${CONFIG_FILE}"`, `options ${Object.keys(ALL_OPTIONS).join(', ')}`, unknown.join(', '));
  const entries = names.map((name) => {
    const option = ALL_OPTIONS[name];
    const said = [
      { by: option.flag.split(' ')[0] ?? name, value: flags[name] },
      { by: option.env, value: env[option.env] },
      { by: `"${name}" in ${CONFIG_FILE}`, value: file[name] },
    ].find(({ value }) => value !== undefined);
    if (!said) return [name, option.default];
    const parsed = option.schema.safeParse(said.value);
    if (parsed.success) return [name, parsed.data];
    throw invalid(said.by, option.sentence, said.value);
  });
  return Object.freeze(Object.fromEntries(entries) as Config<Name>);
}

/** The configuration file of the working directory; empty where there is none. */
export async function readConfigFile(): Promise<Readonly<Record<string, unknown>>> {
  try {
    const text = await readFile(CONFIG_FILE, 'utf8');
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new VlmoError(
      'CONFIG_INVALID',
      `Cannot read "${CONFIG_FILE}": expected a JSON object, received ${errorMessage(error)}`,
      { cause: error },
    );
  }
}

function invalid(subject: string, expected: string, received: unknown): VlmoError {
  const message = `Cannot use ${subject}: expected ${expected}, received ${JSON.stringify(received)}`;
  return new VlmoError('CONFIG_INVALID', message);
}
