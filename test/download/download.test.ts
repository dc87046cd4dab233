import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { type Asked, type ClientOptions, createDownloadClient } from '#download/client.ts';
import type { Downloaded } from '#download/download.ts';
import { pictureKind } from '#download/picture-kind.ts';
import { isPublicAddress } from '#download/public-address.ts';
import { disallowedBy } from '#download/robots-tag.ts';
import { drawPicture } from '../pipeline/pictures.ts';
import { PICTURE, startMisbehaving } from './misbehaving-server.ts';

const server = await startMisbehaving();
after(() => server[Symbol.asyncDispose]());

const OPEN = { isOpen: true, allowed: [] };
/** The server is on this machine: its name has to be allowed. */
const HOST = `friend.test:${server.port}`;

type Options = Partial<ClientOptions & Asked>;

const CLIENT: ClientOptions = {
  policy: { isOpen: true, allowed: [HOST] },
  maxBytes: 100_000,
  timeoutMs: 2000,
  retries: 2,
  perHost: 4,
  concurrency: 8,
  obeysRobots: true,
  resolve: async () => ['127.0.0.1'],
};

/** What the only download of a client gives. */
async function getAll(url: string, options: Options = {}): Promise<Downloaded> {
  const { sniff = pictureKind, stamp, room, signal, ...given } = options;
  await using client = createDownloadClient({ ...CLIENT, retries: 0, ...given });
  return await client.get(url, { sniff, stamp, room, signal });
}

async function get(url: string, options: Options = {}): Promise<Uint8Array> {
  const found = await getAll(url, options);
  assert.ok(found.kind === 'bytes');
  return found.bytes;
}

const refuses = (url: string, code: string, options: Options = {}): Promise<void> =>
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
    ['/loop', 'DOWNLOAD_REFUSED'],
    ['/nowhere', 'DOWNLOAD_REFUSED'],
    ['/missing', 'DOWNLOAD_NOT_FOUND'],
    ['/forbidden', 'DOWNLOAD_REFUSED'],
    ['/robots', 'ROBOTS_REFUSED'],
    ['/bomb', 'IMAGE_TOO_LARGE'],
  ] as const)
    test(`${path}: ${code}`, () => refuses(`http://${HOST}${path}`, code));

  for (const path of ['/never', '/drips'])
    test(`${path}: given up when its time is over, however much came`, async () => {
      const began = performance.now();
      await refuses(`http://${HOST}${path}`, 'DOWNLOAD_TIMEOUT', { timeoutMs: 300 });
      assert.ok(performance.now() - began < 1500);
    });

  test('a signal ends it with its reason; a name that is never resolved does too', async () => {
    const signal = AbortSignal.timeout(50);
    await assert.rejects(get(`http://${HOST}/never`, { signal }), { name: 'TimeoutError' });
    const resolve = (): Promise<readonly string[]> => new Promise(() => undefined);
    await refuses(`http://${HOST}/picture`, 'DOWNLOAD_TIMEOUT', { resolve, timeoutMs: 100 });
  });

  test('more redirects than five are refused, five are followed', async () => {
    const chain = (hops: number): string =>
      hops === 0 ? `http://${HOST}/picture` : `http://${HOST}/to?url=${encodeURIComponent(chain(hops - 1))}`;
    assert.equal((await get(chain(5))).length, PICTURE.length);
    await refuses(chain(6), 'DOWNLOAD_REFUSED');
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

  test('gives what a server packed all the same as it was', async () => {
    for (const path of ['/gzip', '/brotli'])
      assert.deepEqual(Buffer.from(await get(`http://${HOST}${path}`)), PICTURE);
  });

  test('says who asks; a picture that only another program may not have is given', async () => {
    assert.deepEqual(Buffer.from(await get(`http://${HOST}/robots-of-others`)), PICTURE);
    assert.deepEqual(Buffer.from(await get(`http://${HOST}/robots`, { obeysRobots: false })), PICTURE);
    assert.match(server.agents.at(-1) ?? '', /^vlmo-pipeline\/\d+\.\d+\.\d+ \(\+https:\/\//);
  });

  test('what may pass is tried again, as often as is said and when the server says; what will not is not', async () => {
    for (const [path, options, times] of [
      ['/fails-once', {}, 2],
      ['/resets-once', {}, 2],
      ['/busy-once', {}, 2],
      ['/status', {}, 3],
      ['/status', { retries: 0 }, 1],
      ['/busy-for-long', {}, 1],
      ['/missing', {}, 1],
      ['/forbidden', {}, 1],
      ['/robots', {}, 1],
    ] as const) {
      server.reset();
      const began = performance.now();
      await get(`http://${HOST}${path}`, { retries: 2, ...options }).catch(() => undefined);
      assert.equal(server.asked.length, times, path);
      if (path === '/busy-once') assert.ok(performance.now() - began >= 1000, path);
    }
  });

  test('a host that asks for a pause is left alone by all', async () => {
    server.reset();
    await using client = createDownloadClient(CLIENT);
    const asked = { sniff: pictureKind };
    const first = client.get(`http://${HOST}/busy-once`, asked);
    await server.seen('/busy-once');
    // The answer to it is on its way, and read before another one can be.
    await new Promise((resolve) => setTimeout(resolve, 100));
    const began = performance.now();
    await client.get(`http://${HOST}/picture`, asked);
    assert.ok(performance.now() - began > 500);
    await first;
  });

  test('connections are kept, and at most as many as are allowed ask one host', async () => {
    server.reset();
    await using client = createDownloadClient({ ...CLIENT, perHost: 3 });
    const urls = Array.from({ length: 40 }, (_, i) => `http://${HOST}/picture?${i}`);
    await Promise.all(urls.map((url) => client.get(url, { sniff: pictureKind })));
    assert.equal(server.asked.length, 40);
    assert.ok(server.connections() <= 3, `${server.connections()} connections`);
    assert.ok(server.most() <= 3, `${server.most()} at once`);
  });

  test('a connection is to who was looked at, also where a trusted host has opened one', async () => {
    await using client = createDownloadClient({ ...CLIENT, resolve: async () => ['127.0.0.1'] });
    await client.get(`http://${HOST}/picture`, { sniff: pictureKind });
    for (const url of ['http://friend.test/', `http://127.0.0.1:${server.port}/picture`])
      await assert.rejects(client.get(url, { sniff: pictureKind }), { code: 'URL_REFUSED' }, url);
  });

  test('what is as it was is not sent again, by its ETag or its date', async () => {
    for (const path of ['/etag', '/dated']) {
      const first = await getAll(`http://${HOST}${path}`);
      assert.ok(first.kind === 'bytes' && first.stamp !== undefined);
      const again = await getAll(`http://${HOST}${path}`, { stamp: first.stamp });
      assert.equal(again.kind, 'unchanged', path);
      const other = await getAll(`http://${HOST}${path}`, { stamp: '{"etag":"\\"other\\""}' });
      assert.equal(other.kind, 'bytes', path);
    }
    // Of a file: no question at all.
    assert.equal((await getAll(`http://${HOST}/etag`, { stamp: '10 20 30' })).kind, 'bytes');
  });

  test('waiting for room does not count as time of the server', async () => {
    const asked: number[] = [];
    const room = async (bytes: number): Promise<void> => {
      asked.push(bytes);
      await new Promise((resolve) => setTimeout(resolve, 400));
    };
    assert.deepEqual(Buffer.from(await get(`http://${HOST}/sized`, { room, timeoutMs: 300 })), PICTURE);
    assert.deepEqual(asked, [PICTURE.length]);
  });

  test('where nothing but what is allowed may be asked, public hosts are refused', async () => {
    const policy = { isOpen: false, allowed: [HOST] };
    await refuses('http://example.test/', 'URL_REFUSED', { policy });
    assert.equal((await get(`http://${HOST}/picture`, { policy })).length, PICTURE.length);
  });
});

describe('disallowedBy', () => {
  test('reads X-Robots-Tag as img2dataset does', () => {
    for (const [header, found] of [
      [undefined, undefined],
      ['noai', 'noai'],
      ['nofollow, NoImageAI', 'noimageai'],
      ['vlmo-pipeline: noindex', 'noindex'],
      ['Vlmo-Pipeline : nofollow, noimageindex', 'noimageindex'],
      ['otherbot: noai', undefined],
      ['unavailable_after: 25 Jun 2010 15:00:00 PST', undefined],
      ['noaisle', undefined],
      [['nofollow', 'otherbot: noai', 'noai'], 'noai'],
    ] as const)
      assert.equal(disallowedBy(header, 'vlmo-pipeline'), found, String(header));
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
