import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { COMMANDS } from '#config/commands.ts';
import { envName } from '#config/option.ts';
import { ALL_OPTIONS, type OptionName } from '#config/options.ts';
import packageJson from '#package.json' with { type: 'json' };
import { ARROWS, FOUNDATIONS } from './architecture-rules.ts';
import { fixture } from './fixtures/files.ts';

interface Mount {
  readonly type: string;
  readonly source: string;
  readonly target: string;
  readonly read_only?: boolean;
}

interface Service {
  readonly image?: string;
  readonly build?: { readonly target: string };
  readonly command: readonly string[];
  readonly user: string;
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly tmpfs: readonly string[];
  readonly networks: readonly string[];
  readonly volumes: readonly (string | Mount)[];
  readonly stop_grace_period: string;
  readonly restart: string;
  readonly environment?: Readonly<Record<string, string | null>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly profiles?: readonly string[];
  readonly ports?: readonly string[];
  readonly container_name?: string;
  readonly deploy?: unknown;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
}

const ROOT = fixture('../..');
const read = (name: string): Promise<string> => readFile(join(ROOT, name), 'utf8');
const compose = parse(await read('docker-compose.yml'), { merge: true }) as Compose;
const {
  redis,
  worker,
  'worker-gpu': gpu,
} = compose.services as Record<'redis' | 'worker' | 'worker-gpu', Service>;
const workers = { worker, 'worker-gpu': gpu };
const dockerfile = (await read('Dockerfile')).split('\n');
const PINNED = /^[a-z/]+:\d+\.\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}$/;

describe('docker-compose.yml', () => {
  for (const [name, service] of Object.entries(compose.services)) {
    test(`${name}: not root, nothing to write to but what is named, no way to more rights`, () => {
      assert.match(service.user, /^[1-9]\d*:[1-9]\d*$/);
      assert.equal(service.read_only, true);
      assert.deepEqual(service.cap_drop, ['ALL']);
      assert.deepEqual(service.security_opt, ['no-new-privileges:true']);
      assert.ok(service.tmpfs.every((mount) => mount.startsWith('/tmp:size=')));
      const isServer = name === 'server';
      assert.deepEqual(service.networks, [isServer ? 'outside' : 'queue']);
      assert.deepEqual(service.ports, isServer ? ['127.0.0.1:7373:7373'] : undefined);
      assert.equal(service.restart, 'unless-stopped');
    });
  }

  test('redis: pinned, append-only, evicts nothing, says when it is ready, keeps its data in a volume', () => {
    assert.match(redis.image ?? '', PINNED);
    const [, ...flags] = redis.command;
    const settings = Object.fromEntries(
      flags.flatMap((flag, i) => (i % 2 === 0 ? [[flag, flags[i + 1]]] : [])),
    ) as Record<string, string>;
    assert.equal(settings['--appendonly'], 'yes');
    assert.equal(settings['--maxmemory-policy'], 'noeviction');
    assert.ok(redis.healthcheck?.test.at(-1)?.includes('redis-cli ping'));
    assert.deepEqual(redis.volumes, ['redis:/data']);
    assert.equal(compose.networks.queue?.internal, true);
  });

  for (const [name, service] of Object.entries(workers)) {
    test(`${name}: waits for redis, may be scaled, and is not killed while it drains`, () => {
      assert.deepEqual(service.depends_on, { redis: { condition: 'service_healthy' } });
      assert.equal(service.container_name, undefined);
      assert.equal(service.environment?.REDIS_URL, 'redis://redis:6379');
      const drain = Number(service.environment?.VLMO_DRAIN_TIMEOUT);
      assert.equal(drain, ALL_OPTIONS.drainTimeout.default);
      assert.ok(Number(/^(\d+)s$/.exec(service.stop_grace_period)?.[1]) >= drain + 15);
      assert.deepEqual(service.command, ['worker', '--index', '/index']);
      assert.equal(service.image, undefined, 'built here, and pulled from nowhere');
    });

    test(`${name}: the index is in a volume, pictures and models are read only`, () => {
      const [index, ...mounts] = service.volumes as [string, ...Mount[]];
      assert.equal(index, 'index:/index');
      assert.deepEqual(
        mounts.map(({ target }) => target),
        ['/pictures', '/models'],
      );
      assert.ok(mounts.every(({ type, read_only }) => type === 'bind' && read_only === true));
    });

    test(`${name}: passes on all options of a worker, and nothing else`, () => {
      // The index is a volume, Redis a service, and what it logs is JSON anyway.
      const { index, json, embeddedRedis, ...rest } = COMMANDS.worker.options;
      assert.ok(index && json && embeddedRedis);
      const expected = (Object.keys(rest) as OptionName[]).map((option) => envName(ALL_OPTIONS[option]));
      assert.deepEqual(
        Object.keys(service.environment ?? {}).toSorted(),
        ['REDIS_URL', ...expected].toSorted(),
      );
    });
  }

  test('worker-gpu: only with the profile "gpu", computes on a GPU that it reserves', () => {
    assert.equal(worker.profiles, undefined);
    assert.deepEqual(gpu.profiles, ['gpu']);
    assert.equal(gpu.environment?.VLMO_DEVICE, 'cuda');
    assert.deepEqual(gpu.deploy, {
      resources: { reservations: { devices: [{ driver: 'nvidia', count: 1, capabilities: ['gpu'] }] } },
    });
  });

  test('server: only with the profile "server", with keys from outside alone, and a check of its health', () => {
    const { server } = compose.services;
    assert.deepEqual(server?.profiles, ['server']);
    assert.deepEqual(server.command.slice(0, 5), ['serve', '--index', '/index', '--host', '0.0.0.0']);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: compose fills it in
    assert.equal(server.environment?.VLMO_API_KEYS, '${VLMO_API_KEYS:-}');
    assert.ok(server.healthcheck?.test.at(-1)?.includes('/health'));
    const known = new Set(
      (Object.keys(COMMANDS.serve.options) as OptionName[]).map((option) => envName(ALL_OPTIONS[option])),
    );
    for (const name of Object.keys(server.environment ?? {}))
      assert.ok(name === 'VLMO_API_KEYS' || known.has(name), name);
  });

  test('all volumes are named', () => {
    const used = Object.values(compose.services).flatMap(({ volumes }) =>
      volumes.filter((volume) => typeof volume === 'string').map((volume) => volume.split(':')[0]),
    );
    assert.deepEqual([...new Set(used)].sort(), Object.keys(compose.volumes).sort());
  });

  const dockerCompose = spawnSync('docker', ['compose', 'version']);
  const skip = dockerCompose.status === 0 ? false : 'docker compose is not installed';
  test('docker compose config takes it', { skip }, () => {
    const args = [
      'compose',
      '--file',
      join(ROOT, 'docker-compose.yml'),
      '--profile',
      'gpu',
      'config',
      '--quiet',
    ];
    const { status, stderr } = spawnSync('docker', args, { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    assert.equal(stderr, '');
  });
});

describe('Dockerfile', () => {
  const lines = (instruction: string): string[] =>
    dockerfile
      .filter((line) => line.startsWith(`${instruction} `))
      .map((line) => line.slice(instruction.length + 1));

  test('its images are pinned', () => {
    const images = lines('ARG').map((line) => line.split('=')[1] ?? '');
    assert.equal(images.length, 2);
    for (const image of images) assert.match(image, PINNED);
    const stages = lines('FROM').map((line) => line.split(' AS ')[1]);
    for (const base of lines('FROM').map((line) => line.split(' ')[0] ?? ''))
      assert.ok(stages.includes(base) || /^\$\{\w+_IMAGE\}$/.test(base), base);
  });

  test('its Node is the one that the tests run', () => {
    const version = packageJson.devDependencies.node;
    assert.ok(lines('ARG').some((line) => line.startsWith(`NODE_IMAGE=node:${version}-`)));
  });

  test('what it starts is not root, is told to stop by SIGTERM, and has the targets of docker-compose.yml', () => {
    const targets = Object.values(workers).map(({ build }) => build?.target);
    const stages = lines('FROM').map((line) => line.split(' AS ')[1]);
    for (const target of targets) assert.ok(stages.includes(target), target);
    assert.deepEqual(
      lines('USER'),
      targets.map(() => worker.user),
    );
    assert.deepEqual(
      lines('STOPSIGNAL'),
      targets.map(() => 'SIGTERM'),
    );
    assert.equal(stages.at(-1), 'cpu', 'what is built where no target is named');
  });

  test('.dockerignore lets all code in that runs, and nothing else', async () => {
    const [first, ...rest] = (await read('.dockerignore')).split('\n').filter((line) => /^[^#]/.test(line));
    assert.equal(first, '*');
    const admitted = rest.map((line) => line.replace(/^!/, ''));
    const there = await readdir(ROOT);
    const tops = new Set(Object.keys(ARROWS).map((folder) => folder.split('/')[0] ?? ''));
    const folders = [...tops].filter((folder) => there.includes(folder));
    const files = [...FOUNDATIONS, 'index.ts', 'package-lock.json', 'LICENSE', 'NOTICE'];
    assert.deepEqual(admitted.toSorted(), [...folders, ...files, 'bin', 'models/demo'].toSorted());
  });
});
