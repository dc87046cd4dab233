import { Command } from 'commander';
import { addConfigOptions, readConfig } from './config-options.ts';
import { checkDevices } from './doctor/check-devices.ts';
import { checkDisk } from './doctor/check-disk.ts';
import { checkPictures } from './doctor/check-pictures.ts';
import { checkRedis } from './doctor/check-redis.ts';
import { checkStore } from './doctor/check-store.ts';
import type { Finding, FindingState } from './doctor/finding.ts';
import { EXIT_DONE, EXIT_FAILED } from './exit-codes.ts';
import { print, printJson } from './output.ts';

interface DoctorFlags {
  readonly index?: string;
  readonly json?: true;
}

const WORDS: Readonly<Record<FindingState, string>> = { ok: 'ok    ', note: 'note  ', broken: 'BROKEN' };

/** `vlmo doctor`: tries out all that the other commands need, and says what is missing and how to get it. */
export function doctorCommand(): Command {
  const command = new Command('doctor')
    .description('Try out the devices, picture decoding, store, Redis and disk of this machine')
    .option('--index <folder>', 'also try the index there')
    .option('--json', 'print one JSON object a check');
  return addConfigOptions(command, ['device']).action(runDoctor);
}

async function runDoctor(flags: DoctorFlags): Promise<void> {
  const { device } = await readConfig(['device'], flags);
  const checks = [
    () => checkDevices(device),
    async () => [await checkPictures()],
    () => checkStore(flags.index),
    () => checkRedis(process.env.REDIS_URL),
    () => checkDisk(flags.index),
  ];
  let isBroken = false;
  // One after the other: what is measured must not be disturbed, and each line shows as soon as it is known.
  for (const check of checks) {
    for (const finding of await check()) {
      isBroken ||= finding.state === 'broken';
      show(finding, flags);
    }
  }
  process.exitCode = isBroken ? EXIT_FAILED : EXIT_DONE;
}

function show({ name, state, detail, data }: Finding, { json }: DoctorFlags): void {
  if (json) printJson({ check: name, state, detail, ...data });
  else print(`${WORDS[state]}  ${name.padEnd(16)}  ${detail}`);
}
