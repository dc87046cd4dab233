import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import S3rver from '@20minutes/s3rver';
import { AwsV4Signer } from 'aws4fetch';
import { createDownloadClient } from '#download/client.ts';
import type { Downloaded } from '#download/download.ts';
import { pictureKind } from '#download/picture-kind.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { drawPicture, put } from '../pipeline/pictures.ts';

const folder = await temporaryFolder({ after });
const server = new S3rver({
  ...{ address: '127.0.0.1', port: 0, silent: true, directory: join(folder, 's3') },
  configureBuckets: [{ name: 'pictures', configs: [] }],
});
const { port } = await server.run();
after(() => server.close());
const ENDPOINT = `http://127.0.0.1:${port}`;
/** What this server knows. */
const KEYS = { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER' };
const ENV = {
  ...{ AWS_ENDPOINT_URL_S3: ENDPOINT, AWS_REGION: 'eu-west-1' },
  ...{ AWS_CONFIG_FILE: join(folder, 'config'), AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials') },
};
const NAMES = ['a.png', 'ä b/c+d (1)%20.png', "it's/100%?#.png"];
const picture = await drawPicture(1);
for (const name of NAMES) {
  const url = `${ENDPOINT}/pictures/${name.split('/').map(encodeURIComponent).join('/')}`;
  const keys = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER', service: 's3', region: 'us-east-1' };
  const signed = await new AwsV4Signer({ url, method: 'PUT', body: new Uint8Array(picture), ...keys }).sign();
  const { ok } = await fetch(signed.url, {
    method: 'PUT',
    headers: signed.headers,
    body: new Uint8Array(picture),
  });
  assert.ok(ok, name);
}

async function get(uri: string, env: NodeJS.ProcessEnv | undefined, stamp?: string): Promise<Downloaded> {
  await using client = createDownloadClient({
    // The server that the environment names may lie anywhere, and no other.
    ...{ policy: { isOpen: true, allowed: [] }, maxBytes: 100_000, timeoutMs: 2000, retries: 0 },
    ...{ perHost: 4, concurrency: 8, obeysRobots: true, s3: env },
  });
  return await client.get(uri, { sniff: pictureKind, stamp });
}

async function isHad(uri: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  const found = await get(uri, env);
  return found.kind === 'bytes' && Buffer.compare(found.bytes, picture) === 0;
}

describe('pictures at s3://', { timeout: 60_000 }, () => {
  test('are had by their keys as they are written, signed with keys of the environment', async () => {
    for (const name of NAMES) assert.ok(await isHad(`s3://pictures/${name}`, { ...ENV, ...KEYS }), name);
  });

  test('are not sent again where they are as they were', async () => {
    const first = await get('s3://pictures/a.png', { ...ENV, ...KEYS });
    assert.ok(first.kind === 'bytes' && first.stamp !== undefined);
    assert.deepEqual(await get('s3://pictures/a.png', { ...ENV, ...KEYS }, first.stamp), {
      kind: 'unchanged',
    });
  });

  test('with wrong keys they are refused; what is not there is not found', async () => {
    const wrong = { ...ENV, ...KEYS, AWS_SECRET_ACCESS_KEY: 'verysecret' };
    await assert.rejects(get('s3://pictures/a.png', wrong), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'DOWNLOAD_REFUSED');
      assert.doesNotMatch(JSON.stringify([error.message, error.cause ?? null]), /verysecret|S3RVER/);
      return true;
    });
    await assert.rejects(get('s3://pictures/none.png', { ...ENV, ...KEYS }), { code: 'DOWNLOAD_NOT_FOUND' });
  });

  test('with the keys of a profile, and the place of its configuration', async () => {
    const keys = 'aws_access_key_id = S3RVER\naws_secret_access_key=S3RVER\n';
    await put(
      folder,
      'credentials',
      `[default]\naws_access_key_id=x\naws_secret_access_key=y\n\n[mine]\n${keys}`,
    );
    await put(folder, 'config', `[profile mine]\nregion = eu-west-3\nendpoint_url = ${ENDPOINT}\n`);
    const { AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE } = ENV;
    const files = { AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE };
    assert.ok(await isHad('s3://pictures/a.png', { ...files, AWS_PROFILE: 'mine' }));
    await assert.rejects(get('s3://pictures/a.png', { ...files, AWS_PROFILE: 'other' }), {
      code: 'CREDENTIALS_INVALID',
    });
    await assert.rejects(get('s3://pictures/a.png', ENV), { code: 'DOWNLOAD_REFUSED' });
  });

  test('with a web identity, asked for once', async (t) => {
    const bodies: string[] = [];
    const sts = createServer((request, response) => {
      request.on('data', (piece: Buffer) => bodies.push(String(piece)));
      const expiration = new Date(Date.now() + 3_600_000).toISOString();
      const keys = '<AccessKeyId>S3RVER</AccessKeyId><SecretAccessKey>S3RVER</SecretAccessKey>';
      response.end(
        `<R><Credentials>${keys}<SessionToken>t</SessionToken><Expiration>${expiration}</Expiration></Credentials></R>`,
      );
    });
    await new Promise<void>((resolve) => sts.listen(0, '127.0.0.1', resolve));
    t.after(() => sts.close());
    await put(folder, 'token', 'jwt\n');
    const env = {
      ...{
        ...ENV,
        AWS_WEB_IDENTITY_TOKEN_FILE: join(folder, 'token'),
        AWS_ROLE_ARN: 'arn:aws:iam::1:role/r',
      },
      AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${(sts.address() as AddressInfo).port}`,
    };
    await using client = createDownloadClient({
      ...{ policy: { isOpen: true, allowed: [] }, maxBytes: 100_000, timeoutMs: 2000, retries: 0 },
      ...{ perHost: 4, concurrency: 8, obeysRobots: true, s3: env },
    });
    for (let n = 0; n < 3; n++) await client.get('s3://pictures/a.png', { sniff: pictureKind });
    assert.equal(bodies.length, 1);
    assert.match(bodies[0] ?? '', /Action=AssumeRoleWithWebIdentity.*RoleArn=arn.*WebIdentityToken=jwt$/);
  });

  test('are refused where they are not to be read, and where they name none', async () => {
    for (const [uri, env] of [
      ['s3://pictures/a.png', undefined],
      ['s3://pictures/', { ...ENV, ...KEYS }],
      ['s3://pictures/../a.png', { ...ENV, ...KEYS }],
      ['s3://Bucket@host/a.png', { ...ENV, ...KEYS }],
    ] as const)
      await assert.rejects(get(uri, env), { code: 'URL_UNSUPPORTED' }, uri);
  });
});
