import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { type DownloadOptions, download } from '#download/download.ts';
import { pictureKind } from '#download/picture-kind.ts';
import { isPublicAddress } from '#download/public-address.ts';
import { drawPicture } from '../pipeline/pictures.ts';
import { PICTURE, startMisbehaving } from './misbehaving-server.ts';

const server = await startMisbehaving();
after(() => server[Symbol.asyncDispose]());

const OPEN = { isOpen: true, allowed: [] };
/** The server is on this machine: its name has to be allowed. */
const HOST = `friend.test:${server.port}`;

function get(url: string, options: Partial<DownloadOptions> = {}): Promise<Uint8Array> {
  return download(url, {
    policy: { isOpen: true, allowed: [HOST] },
    maxBytes: 100_000,
    timeoutMs: 2000,
    sniff: pictureKind,
    resolve: async () => ['127.0.0.1'],
    ...options,
  });
}

const refuses = (url: string, code: string, options: Partial<DownloadOptions> = {}): Promise<void> =>
  assert.rejects(get(url, options), { code }, url);

describe('download', { timeout: 60_000 }, () => {
  test('gives the bytes of what is a picture, whatever its type is said to be', async () => {
    for (const path of ['/picture', '/lies-about-type'])
      assert.deepEqual(Buffer.from(await get(`http://${HOST}${path}`)), PICTURE);
  });

  for (const [path, code] of [
    ['/html', 'IMAGE_INVALID'],
    ['/status', 'DOWNLOAD_FAILED'],
    ['/says-huge', 'IMAGE_TOO_LARGE'],
    ['/is-huge', 'IMAGE_TOO_LARGE'],
    ['/packed', 'DOWNLOAD_FAILED'],
    ['/cut', 'DOWNLOAD_FAILED'],
    ['/loop', 'DOWNLOAD_FAILED'],
    ['/nowhere', 'DOWNLOAD_FAILED'],
  ] as const)
    test(`${path}: ${code}`, () => refuses(`http://${HOST}${path}`, code));

  for (const path of ['/never', '/drips'])
    test(`${path}: given up when its time is over, however much came`, async () => {
      const began = performance.now();
      await refuses(`http://${HOST}${path}`, 'DOWNLOAD_FAILED', { timeoutMs: 300 });
      assert.ok(performance.now() - began < 1500);
    });

  test('a signal ends it with its reason; a name that is never resolved does too', async () => {
    const signal = AbortSignal.timeout(50);
    await assert.rejects(get(`http://${HOST}/never`, { signal }), { name: 'TimeoutError' });
    const resolve = (): Promise<readonly string[]> => new Promise(() => undefined);
    await refuses(`http://${HOST}/picture`, 'DOWNLOAD_FAILED', { resolve, timeoutMs: 100 });
  });

  test('more redirects than five are refused, five are followed', async () => {
    const chain = (hops: number): string =>
      hops === 0 ? `http://${HOST}/picture` : `http://${HOST}/to?url=${encodeURIComponent(chain(hops - 1))}`;
    assert.equal((await get(chain(5))).length, PICTURE.length);
    await refuses(chain(6), 'DOWNLOAD_FAILED');
  });

  for (const target of [
    'http://127.0.0.1/picture',
    'http://169.254.169.254/latest/meta-data',
    'http://[::1]/',
    'http://other.test:8080/',
    'file:///etc/passwd',
    'http://name:word@friend.test/',
  ])
    test(`a redirect to ${target} is checked anew`, async () => {
      const url = `http://${HOST}/to?url=${encodeURIComponent(target)}`;
      await assert.rejects(get(url), ({ code }: { code: string }) => /^URL_/.test(code));
    });

  test('what is dialled is the address that was checked: a name is resolved once a hop', async () => {
    let lookups = 0;
    const resolve = async (): Promise<readonly string[]> => {
      lookups += 1;
      return lookups === 1 ? ['127.0.0.1'] : ['10.0.0.1'];
    };
    server.asked.length = 0;
    await get(`http://${HOST}/picture`, { resolve });
    assert.equal(lookups, 1);
    assert.deepEqual(server.asked, [`${HOST} /picture`]);
  });

  test('one private answer among public ones is refused', async () => {
    const resolve = async (): Promise<readonly string[]> => ['93.184.216.34', '10.0.0.1'];
    await refuses('http://mixed.test/', 'URL_REFUSED', { resolve, policy: OPEN });
  });

  for (const url of [
    'http://127.0.0.1/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0177.0.0.1/',
    'http://[::ffff:127.0.0.1]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[64:ff9b:1::1]/',
    'http://[2002:7f00:1::]/',
    'http://[fd00::1]/',
    'http://[fe80::1]/',
    'http://100.64.0.1/',
    'http://169.254.169.254/',
    'http://0.0.0.0/',
    'http://10.1.2.3:80/',
    'http://198.51.100.1/',
    'https://example.test:8443/',
    'ftp://example.test/',
    'data:image/png;base64,AAAA',
    'javascript:alert(1)',
    'http://user@example.test/',
    '//example.test/',
    'http://',
  ])
    test(`${url} is refused before anything is asked`, async () => {
      server.asked.length = 0;
      await assert.rejects(get(url, { policy: OPEN, resolve: async () => ['127.0.0.1'] }), (error: unknown) =>
        /^URL_/.test((error as { code: string }).code),
      );
      assert.deepEqual(server.asked, []);
    });

  test('where nothing but what is allowed may be asked, public hosts are refused', async () => {
    const policy = { isOpen: false, allowed: [HOST] };
    await refuses('http://example.test/', 'URL_REFUSED', { policy });
    assert.equal((await get(`http://${HOST}/picture`, { policy })).length, PICTURE.length);
  });
});

describe('isPublicAddress', () => {
  test('addresses of everybody, and no others', () => {
    for (const address of ['8.8.8.8', '93.184.216.34', '2606:4700:4700::1111', '2a00:1450:4001:81b::200e'])
      assert.ok(isPublicAddress(address), address);
    for (const address of [
      ...['0.0.0.0', '10.0.0.1', '100.64.0.1', '127.0.0.1', '169.254.169.254', '172.16.0.1', '192.0.0.1'],
      ...['192.0.2.1', '192.168.1.1', '198.18.0.1', '198.51.100.1', '203.0.113.1', '224.0.0.1', '240.0.0.1'],
      ...['255.255.255.255', '::', '::1', '::ffff:8.8.8.8', '64:ff9b::8.8.8.8', '64:ff9b:1::1', '100::1'],
      ...['2001:db8::1', '2002:808:808::1', '2001::1', '3fff::1', 'fc00::1', 'fe80::1', 'fec0::1', 'ff02::1'],
      ...['4000::1', 'no address', ''],
    ])
      assert.ok(!isPublicAddress(address), address);
  });
});

describe('pictureKind', () => {
  test('knows pictures by their first bytes, and pages for none', async () => {
    assert.equal(pictureKind(await drawPicture(1, 'jpeg')), 'jpeg');
    assert.equal(pictureKind(PICTURE), 'png');
    const svg = '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>';
    assert.equal(pictureKind(Buffer.from(svg)), 'svg');
    for (const text of ['', '<html>', '<!DOCTYPE html><svg>', '{"a":1}', 'GIF', 'RIFF1234WAVE'])
      assert.equal(pictureKind(Buffer.from(text)), undefined, text);
  });
});
