import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** What a profile of `~/.aws` says; what is in `credentials` counts before what is in `config`. */
export type Profile = Readonly<Partial<Record<string, string>>>;

export async function readProfile(env: NodeJS.ProcessEnv): Promise<Profile> {
  const name = env.AWS_PROFILE || 'default';
  const folder = join(homedir(), '.aws');
  const config = await read(env.AWS_CONFIG_FILE || join(folder, 'config'));
  const credentials = await read(env.AWS_SHARED_CREDENTIALS_FILE || join(folder, 'credentials'));
  const ofConfig = sectionOf(config, [`profile ${name}`, name]);
  return { ...ofConfig, ...sectionOf(credentials, [name]) };
}

/** Nothing where there is no such file: then something else says it. */
function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

function sectionOf(text: string, names: readonly string[]): Profile {
  const found: Record<string, string> = {};
  let isInside = false;
  for (const line of text.split(/\r?\n/)) {
    const section = /^\s*\[\s*(.*?)\s*\]/.exec(line)?.[1];
    if (section !== undefined) isInside = names.includes(section.replace(/\s+/g, ' '));
    // What is indented belongs to a setting of several lines, which none of ours is.
    const [, key, value] = (isInside && /^([a-z_]+)\s*=\s*(.*?)\s*$/i.exec(line)) || [];
    if (key !== undefined && value !== undefined) found[key.toLowerCase()] = value;
  }
  return found;
}
