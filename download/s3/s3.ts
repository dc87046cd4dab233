import { AwsV4Signer } from 'aws4fetch';
import { VlmoError } from '#errors.ts';
import { type Credentials, findCredentials, type Post } from './credentials.ts';
import { type Profile, readProfile } from './profile.ts';

/** An object of a bucket as HTTP asks for it. */
export interface S3Request {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Whether whoever runs us has named the server: then it may lie anywhere. */
  readonly isTrusted: boolean;
}

/** Makes requests of `s3://bucket/key`. Throws URL_UNSUPPORTED, CREDENTIALS_INVALID. */
export type S3 = (uri: string) => Promise<S3Request>;

interface Place {
  readonly profile: Profile;
  readonly region: string;
  /** A server of one's own; undefined for AWS. */
  readonly endpoint: string | undefined;
}

/** Keys that end within that are asked for anew. */
const EARLY_MS = 5 * 60_000;

/**
 * S3 as the environment and `~/.aws` say, in the words of AWS's own tools: they are read when the first `s3://` is met, and
 * nothing of them goes anywhere but into the headers of a request.
 */
export function createS3(env: NodeJS.ProcessEnv, post: Post): S3 {
  let place: Promise<Place> | undefined;
  let credentials: Promise<Credentials | undefined> | undefined;
  const keys = async ({ profile, region }: Place): Promise<Credentials | undefined> => {
    const known = await credentials;
    if (known?.expiresAt !== undefined && known.expiresAt - EARLY_MS < Date.now()) credentials = undefined;
    credentials ??= findCredentials(env, profile, region, post).catch((error: unknown) => {
      credentials = undefined;
      throw error;
    });
    return credentials;
  };
  return async (uri) => {
    place ??= findPlace(env);
    const found = await place;
    const url = addressOf(uri, found);
    const signed = await keys(found);
    return {
      url,
      headers: signed ? await sign(url, found.region, signed) : {},
      isTrusted: found.endpoint !== undefined,
    };
  };
}

async function findPlace(env: NodeJS.ProcessEnv): Promise<Place> {
  const profile = await readProfile(env);
  return {
    profile,
    region: env.AWS_REGION || env.AWS_DEFAULT_REGION || profile.region || 'us-east-1',
    endpoint: env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || profile.endpoint_url || undefined,
  };
}

/** Other servers than AWS's have the bucket in the path, and so have buckets that no certificate fits. */
function addressOf(uri: string, { endpoint, region }: Place): string {
  const [, bucket = '', key = ''] = /^s3:\/\/([^/]*)\/(.*)$/is.exec(uri) ?? [];
  const isKey = key !== '' && !key.split('/').some((part) => part === '.' || part === '..');
  if (!isKey || !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket) || !key.isWellFormed())
    throw new VlmoError(
      'URL_UNSUPPORTED',
      `Cannot download ${JSON.stringify(uri.slice(0, 100).toWellFormed())}: expected s3://BUCKET/KEY, received another URL`,
    );
  const path = key.split('/').map(encodePart).join('/');
  if (endpoint !== undefined) return `${endpoint.replace(/\/+$/, '')}/${bucket}/${path}`;
  const host = `s3.${region}.amazonaws.com`;
  return bucket.includes('.') ? `https://${host}/${bucket}/${path}` : `https://${bucket}.${host}/${path}`;
}

function encodePart(part: string): string {
  return encodeURIComponent(part).replace(
    /[!'()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

async function sign(
  url: string,
  region: string,
  { accessKeyId, secretAccessKey, sessionToken }: Credentials,
): Promise<Record<string, string>> {
  const keys = { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
  const { headers } = await new AwsV4Signer({ url, region, service: 's3', ...keys }).sign();
  return Object.fromEntries(headers);
}
