import { Command } from 'commander';
import packageJson from '#package.json' with { type: 'json' };
import { doctorCommand } from './doctor-command.ts';
import { embedCommand } from './embed-command.ts';
import { failuresCommand } from './failures-command.ts';
import { indexCommand } from './index-command.ts';
import { modelCommand } from './model-command.ts';
import { optimizeCommand } from './optimize-command.ts';
import { queueCommand } from './queue-command.ts';
import { retrieveCommand } from './retrieve-command.ts';
import { searchCommand } from './search-command.ts';
import { statusCommand } from './status-command.ts';
import { submitCommand } from './submit-command.ts';
import { workerCommand } from './worker-command.ts';

const COMMANDS = [
  indexCommand,
  searchCommand,
  retrieveCommand,
  failuresCommand,
  optimizeCommand,
  submitCommand,
  workerCommand,
  statusCommand,
  queueCommand,
  embedCommand,
  modelCommand,
  doctorCommand,
];

/** The `vlmo` program with all its commands. */
export function createProgram(): Command {
  const program = new Command('vlmo')
    .description(packageJson.description)
    .version(packageJson.version)
    .showHelpAfterError('(add --help for what can be said)')
    .exitOverride();
  for (const create of COMMANDS) program.addCommand(create());
  for (const command of allCommands(program)) command.exitOverride();
  return program;
}

function allCommands(command: Command): Command[] {
  return command.commands.flatMap((child) => [child as Command, ...allCommands(child as Command)]);
}
