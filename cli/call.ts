import type { CommandArguments, CommandConfig, CommandName } from '#config/commands.ts';
import type { Settings } from '#config/resolve.ts';

/** How a command was called, beside what it is set to. */
export interface Call<Name extends CommandName> extends Pick<Settings<Name>, 'origin'> {
  /** Values of options that may be given several times, in the order of the command line. */
  readonly inOrder: readonly { readonly name: string; readonly value: string }[];
}

export type RunCommand<Name extends CommandName> = (
  config: CommandConfig<Name>,
  args: CommandArguments<Name>,
  call: Call<Name>,
) => Promise<void>;
