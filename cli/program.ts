import { Command, Option } from 'commander';
import type { CommandSpec, Use } from '#config/command.ts';
import { COMMAND_GROUPS, COMMANDS, type CommandName } from '#config/commands.ts';
import { readConfigFile } from '#config/config-file.ts';
import { envName, flagName, type OptionSpec } from '#config/option.ts';
import { ALL_OPTIONS, type OptionName } from '#config/options.ts';
import { resolveCommand } from '#config/resolve.ts';
import packageJson from '#package.json' with { type: 'json' };
import type { Call, RunCommand } from './call.ts';
import { ONLY_PRINT, RUN } from './commands.ts';
import { endWithOutput } from './output-streams.ts';
import { requireOpenFiles } from './require-open-files.ts';

/**
 * The `vlmo` program with all its commands, as `config/` has them. Only those that begin with `asked` get their options: making all of them
 * costs more than to say that a word is unknown.
 */
export function createProgram(asked?: string): Command {
  const program = new Command('vlmo')
    .description(packageJson.description)
    .version(packageJson.version)
    .showHelpAfterError('(add --help for what can be said)')
    .enablePositionalOptions()
    .exitOverride();
  for (const name of Object.keys(COMMANDS) as CommandName[]) {
    const [word = '', inner] = name.split(' ');
    const isAsked = asked === undefined || asked === word;
    if (inner === undefined) program.addCommand(createCommand(name, word, isAsked));
    else
      groupOf(program, word as keyof typeof COMMAND_GROUPS).addCommand(createCommand(name, inner, isAsked));
  }
  return program;
}

function groupOf(program: Command, name: keyof typeof COMMAND_GROUPS): Command {
  const found = program.commands.find((command) => command.name() === name);
  // A group that is a command too: what stands behind the word of another command is of that one.
  if (found) return (found as Command).enablePositionalOptions();
  const group = new Command(name).description(COMMAND_GROUPS[name]).exitOverride();
  program.addCommand(group);
  return group;
}

function createCommand<Name extends CommandName>(name: Name, word: string, hasOptions: boolean): Command {
  const spec: CommandSpec = COMMANDS[name];
  const command = new Command(word).description(spec.sentence).exitOverride();
  for (const [argument, sentence] of spec.arguments ?? []) command.argument(argument, sentence);
  if (!hasOptions) return command;
  const inOrder: { name: string; value: string }[] = [];
  valueByEqualsOnly(command, spec);
  const attributes = new Map<OptionName, string>();
  for (const [option, use] of Object.entries(spec.options) as [OptionName, Use][]) {
    const added = createOption(option, use, inOrder);
    command.addOption(added);
    attributes.set(option, added.attributeName());
  }
  return command.action(async () => {
    requireOpenFiles();
    const given = command.opts<Record<string, unknown>>();
    const flags = Object.fromEntries(
      [...attributes].map(([option, attribute]) => [option, given[attribute]] as const),
    );
    const sources = { flags, env: process.env, file: await readConfigFile() };
    const { config, origin } = resolveCommand(name, sources);
    requireOptions(command, spec, config);
    if (ONLY_PRINT.has(name)) endWithOutput();
    const run = (await RUN[name]()) as RunCommand<Name>;
    await run(config, command.processedArgs as never, { origin, inOrder } satisfies Call<Name>);
  });
}

/** `--prune SOURCE` is the flag and an argument: what a flag may have is said with `=`, as in `--prune=all`. */
function valueByEqualsOnly(command: Command, spec: CommandSpec): void {
  const flags = (Object.keys(spec.options) as OptionName[])
    .map((name): OptionSpec => ALL_OPTIONS[name])
    .filter(({ flag }) => flag.endsWith(']'))
    .map(flagName);
  if (flags.length === 0) return;
  const parse = command.parseOptions.bind(command);
  command.parseOptions = (argv) => parse(argv.map((word) => (flags.includes(word) ? `${word}=true` : word)));
}

/** Texts are parsed when all sources are known; here they are only kept. */
function createOption(name: OptionName, use: Use, inOrder: { name: string; value: string }[]): Option {
  const spec: OptionSpec = ALL_OPTIONS[name];
  const option = new Option(use.flag ?? spec.flag, describeOption(spec, use));
  if (spec.type.isList)
    option.argParser((value: string, all: readonly string[] | undefined) => {
      inOrder.push({ name, value });
      return [...(all ?? []), value];
    });
  return option;
}

/** `Items of one job (a whole number from 1 to 4096; default: 256; VLMO_CHUNK_ITEMS)`. */
function describeOption(spec: OptionSpec, use: Use): string {
  const initial = 'default' in use ? use.default : (spec.defaultWords ?? spec.default);
  const facts = [
    use.isRequired ? 'required' : '',
    spec.type.isSwitch || spec.type.isList ? '' : spec.type.range,
    initial === undefined || spec.type.isSwitch ? '' : `default: ${String(initial)}`,
    envName(spec),
  ];
  return `${use.sentence ?? spec.sentence} (${facts.filter((fact) => fact !== '').join('; ')})`;
}

function requireOptions(command: Command, spec: CommandSpec, config: object): void {
  const values = config as Readonly<Record<string, unknown>>;
  for (const [name, use] of Object.entries(spec.options) as [OptionName, Use][]) {
    if (!use.isRequired || values[name] !== undefined) continue;
    const flag = use.flag ?? ALL_OPTIONS[name].flag;
    command.error(`error: required option '${flag}' not specified`, {
      code: 'commander.missingMandatoryOptionValue',
    });
  }
}
