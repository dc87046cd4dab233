import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { VlmoError } from '#errors.ts';
import { describeAddress, parseRedisUrl } from '#queue/address.ts';

const NOBODY = { username: undefined, password: undefined };
const SERVER = { kind: 'server', tls: false, host: 'h', port: 6379, db: 0 } as const;

describe('parseRedisUrl', () => {
  for (const [url, expected] of [
    ['redis://h', SERVER],
    ['  redis://h/ ', SERVER],
    ['redis://h:1', { ...SERVER, port: 1 }],
    ['redis://h:65535/15', { ...SERVER, port: 65_535, db: 15 }],
    ['rediss://h', { ...SERVER, tls: true }],
    ['REDISS://h', { ...SERVER, tls: true }],
    ['redis://[::1]', { ...SERVER, host: '::1' }],
    ['redis://[fe80::1:2]:7000/3', { ...SERVER, host: 'fe80::1:2', port: 7000, db: 3 }],
    ['redis://10.0.0.1:7000', { ...SERVER, host: '10.0.0.1', port: 7000 }],
    ['redis://u:p@h', { ...SERVER, username: 'u', password: 'p' }],
    ['redis://:p@h', { ...SERVER, ...NOBODY, password: 'p' }],
    ['redis://u@h', { ...SERVER, ...NOBODY, username: 'u' }],
    ['redis://:p%40%2F%3A%25%3F@h', { ...SERVER, ...NOBODY, password: 'p@/:%?' }],
    ['redis://:p@q/r:s@h/1', { ...SERVER, ...NOBODY, password: 'p@q/r:s', db: 1 }],
    ['redis://%C3%A9:%20@h', { ...SERVER, username: 'é', password: ' ' }],
    ['unix:///run/redis.sock', { kind: 'socket', path: '/run/redis.sock', db: 0 }],
    ['unix:///a%20b/%40.sock', { kind: 'socket', path: '/a b/@.sock', db: 0 }],
    ['unix://:p@/run/r.sock', { kind: 'socket', path: '/run/r.sock', ...NOBODY, password: 'p', db: 0 }],
    [
      'redis-sentinel://a,b:5,[::2]:6/my%20master/2',
      {
        ...{ kind: 'sentinel', tls: false, master: 'my master', db: 2 },
        sentinels: [
          { host: 'a', port: 26_379 },
          { host: 'b', port: 5 },
          { host: '::2', port: 6 },
        ],
      },
    ],
    [
      'rediss-sentinel://u:p@a/m',
      {
        ...{ kind: 'sentinel', tls: true, username: 'u', password: 'p', master: 'm', db: 0 },
        sentinels: [{ host: 'a', port: 26_379 }],
      },
    ],
    [
      'redis-cluster://a,b:5',
      {
        ...{ kind: 'cluster', tls: false },
        nodes: [
          { host: 'a', port: 6379 },
          { host: 'b', port: 5 },
        ],
      },
    ],
    [
      'rediss-cluster://:p@a',
      { kind: 'cluster', tls: true, ...NOBODY, password: 'p', nodes: [{ host: 'a', port: 6379 }] },
    ],
  ] as const) {
    test(`${url} is read`, () => assert.deepEqual(parseRedisUrl(url), expected));
  }

  for (const url of [
    '',
    'h',
    'h:6379',
    'redis:h',
    'redis://',
    'redis:///1',
    'redis://h:0',
    'redis://h:65536',
    'redis://h:x',
    'redis://h/x',
    'redis://h/-1',
    'redis://h/1/2',
    'redis://a,b',
    'redis://::1',
    'redis://[::1',
    'redis://h h',
    'redis://h?db=1',
    'redis://h#1',
    'http://h',
    'unix://',
    'unix:///',
    'unix://run/redis.sock',
    'unix:///%zz',
    'redis-sentinel://a',
    'redis-sentinel:///m',
    'redis-sentinel://a/m/x',
    'redis-sentinel://a/m/1/2',
    'redis-sentinel://a/%zz',
    'redis-sentinel://a,,b/m',
    'redis-cluster://',
    'redis-cluster://a/1',
    'redis-cluster://a,',
  ]) {
    test(`"${url}" is refused with the forms that there are`, () => {
      assert.throws(
        () => parseRedisUrl(url),
        (error: VlmoError) => {
          assert.ok(error instanceof VlmoError);
          assert.equal(error.code, 'CONFIG_INVALID');
          assert.match(error.message, /^Cannot use REDIS_URL: expected redis:\/\/\[USER.*, received ".*"$/);
          return true;
        },
      );
    });
  }

  for (const [url, shown] of [
    ['redis://u:secret@', 'redis://…@'],
    ['redis://u:secret@h:x', 'redis://…@h:x'],
    ['redis://u:sec%zzret@h', 'redis://…@h'],
    ['redis://:secret/@x@h/x', 'redis://…@h/x'],
    ['redis://:sec#ret?secret@h', 'redis://…@h'],
    ['redis://:sec\nret@h', 'redis://…@h'],
    ['u:secret@h:6379', '…@h:6379'],
    ['redis:u:secret@h', '…@h'],
    ['redis//:secret@h', '…@h'],
    ['redis://h?password=secret', 'redis://h?…'],
    ['redis-cluster://:secret@a/1', 'redis-cluster://…@a/1'],
  ] as const) {
    test(`of ${JSON.stringify(url)} the message shows "${shown}", not the password`, () => {
      assert.throws(
        () => parseRedisUrl(url),
        ({ message, stack }: Error) =>
          message.endsWith(`received "${shown}"`) && !/secret|sec.ret/s.test(`${message} ${stack}`),
      );
    });
  }
});

describe('describeAddress', () => {
  for (const [url, shown] of [
    ['redis://u:secret@h', 'redis://h:6379/0'],
    ['rediss://u:secret@[::1]:5/3', 'rediss://[::1]:5/3'],
    ['unix://:secret@/run/r.sock', 'unix:///run/r.sock'],
    ['redis-sentinel://u:secret@a,b:5/m/2', 'redis-sentinel://a:26379,b:5/m/2'],
    ['rediss-sentinel://u:secret@a/m', 'rediss-sentinel://a:26379/m/0'],
    ['redis-cluster://:secret@a,[::2]:5', 'redis-cluster://a:6379,[::2]:5'],
    ['rediss-cluster://a', 'rediss-cluster://a:6379'],
  ] as const) {
    test(`${url} is shown as ${shown}`, () => assert.equal(describeAddress(parseRedisUrl(url)), shown));
  }
});
