import { readFile } from 'node:fs/promises';
import { VlmoError } from '#errors.ts';
import type { Profile } from './profile.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  /** Milliseconds since 1970; left out, they hold for ever. */
  readonly expiresAt?: number;
}

/** Sends a form and gives what is answered. */
export type Post = (url: string, body: string) => Promise<{ readonly status: number; readonly text: string }>;

/**
 * The first that there is: a profile that AWS_PROFILE names, the keys of the environment, a web identity
 * (AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN), the default profile. Undefined where there is none: then requests are not
 * signed, as public buckets take them. Throws CREDENTIALS_INVALID.
 */
export async function findCredentials(
  env: NodeJS.ProcessEnv,
  profile: Profile,
  region: string,
  post: Post,
): Promise<Credentials | undefined> {
  const ofProfile = keysOf(
    profile.aws_access_key_id,
    profile.aws_secret_access_key,
    profile.aws_session_token,
  );
  if (env.AWS_PROFILE) {
    if (ofProfile) return ofProfile;
    throw invalid(`a profile "${env.AWS_PROFILE}" with keys`, 'none');
  }
  const ofEnvironment = keysOf(env.AWS_ACCESS_KEY_ID, env.AWS_SECRET_ACCESS_KEY, env.AWS_SESSION_TOKEN);
  if (ofEnvironment) return ofEnvironment;
  const { AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_ROLE_ARN: role } = env;
  if (file && role) return assumeRole(env, { file, role, region }, post);
  return ofProfile;
}

function keysOf(
  accessKeyId: string | undefined,
  secretAccessKey: string | undefined,
  sessionToken: string | undefined,
): Credentials | undefined {
  return accessKeyId && secretAccessKey
    ? { accessKeyId, secretAccessKey, sessionToken: sessionToken || undefined }
    : undefined;
}

/** A role of AWS for a token that whoever runs us has put into a file, and puts a newer one into from time to time. */
async function assumeRole(
  env: NodeJS.ProcessEnv,
  { file, role, region }: { readonly file: string; readonly role: string; readonly region: string },
  post: Post,
): Promise<Credentials> {
  const token = await readFile(file, 'utf8').catch(() => {
    throw invalid('a file of a web identity that can be read (AWS_WEB_IDENTITY_TOKEN_FILE)', 'none');
  });
  const endpoint = env.AWS_ENDPOINT_URL_STS || `https://sts.${region}.amazonaws.com`;
  const form = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: role,
    RoleSessionName: env.AWS_ROLE_SESSION_NAME || 'vlmo-pipeline',
    WebIdentityToken: token.trim(),
  });
  const { status, text } = await post(`${endpoint.replace(/\/+$/, '')}/`, form.toString());
  const of = (tag: string): string | undefined => new RegExp(`<${tag}>([^<]+)</${tag}>`).exec(text)?.[1];
  const found = keysOf(of('AccessKeyId'), of('SecretAccessKey'), of('SessionToken'));
  const expiresAt = Date.parse(of('Expiration') ?? '');
  if (status !== 200 || !found || Number.isNaN(expiresAt))
    throw invalid('keys for a web identity', `status ${status} (${of('Code') ?? 'without a reason'})`);
  return { ...found, expiresAt };
}

/** Never with a key in it. */
function invalid(expected: string, received: string): VlmoError {
  return new VlmoError(
    'CREDENTIALS_INVALID',
    `Cannot sign requests to S3: expected ${expected}, received ${received}`,
  );
}
