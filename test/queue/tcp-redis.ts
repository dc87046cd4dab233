import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { temporaryFolder } from '../fixtures/files.ts';
import { cleanup } from './queue-fixture.ts';

/** A real redis-server on a port of 127.0.0.1; gone after the test. */
export interface TcpRedis {
  readonly port: number;
  kill9(): Promise<void>;
}

interface Ports {
  readonly port: number;
  /** A second one, for the bus of a Cluster. */
  readonly bus: number;
}

/** `args` are further settings; with `tls` its port speaks nothing else. */
export async function startTcpRedis(
  t: TestContext,
  args: (ports: Ports) => readonly string[] = () => [],
  tls?: Certificate,
): Promise<TcpRedis> {
  cleanup(t);
  const folder = await temporaryFolder(t);
  const common = ['--dir', folder, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  // A replica need not wait for another one.
  common.push('--repl-diskless-sync-delay', '0');
  return startOnFreePort(t, (ports) => [...portSettings(ports, tls), ...common, ...args(ports)]);
}

/** A Sentinel that watches a master called `name`; it decides alone. */
export async function startSentinel(
  t: TestContext,
  name: string,
  master: number,
  tls?: Certificate,
): Promise<TcpRedis> {
  cleanup(t);
  const folder = await temporaryFolder(t);
  const file = join(folder, 'sentinel.conf');
  const lines = [
    `sentinel monitor ${name} 127.0.0.1 ${master} 1`,
    `sentinel down-after-milliseconds ${name} 500`,
    `sentinel failover-timeout ${name} 2000`,
  ];
  await writeFile(file, lines.join('\n'));
  return startOnFreePort(t, (ports) => [file, '--sentinel', '--dir', folder, ...portSettings(ports, tls)]);
}

/** A certificate of 127.0.0.1, signed by itself. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

export async function makeCertificate(t: TestContext): Promise<Certificate> {
  const folder = await temporaryFolder(t);
  const made = { certificate: join(folder, 'certificate.pem'), key: join(folder, 'key.pem') };
  const kind = ['-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-days', '2'];
  const names = ['-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-out', made.certificate, '-keyout', made.key];
  await promisify(execFile)('openssl', ['req', ...kind, ...names, ...files]);
  return made;
}

function portSettings({ port }: Ports, tls: Certificate | undefined): string[] {
  if (!tls) return ['--port', `${port}`];
  const files = ['--tls-cert-file', tls.certificate, '--tls-key-file', tls.key];
  const trust = ['--tls-ca-cert-file', tls.certificate, '--tls-auth-clients', 'no'];
  return ['--port', '0', '--tls-port', `${port}`, ...files, ...trust, '--tls-replication', 'yes'];
}

const READY = /Ready to accept connections|\+monitor master/;
const TRIES = 5;

/** Another process may take a port that was free a moment ago. */
async function startOnFreePort(t: TestContext, args: (ports: Ports) => readonly string[]): Promise<TcpRedis> {
  for (let tries = 0; tries < TRIES; tries++) {
    const ports = { port: await freePort(), bus: await freePort() };
    const server = spawn('redis-server', [...args(ports)], { stdio: ['ignore', 'pipe', 'ignore'] });
    cleanup(t).defer(() => kill9(server));
    for await (const line of createInterface(server.stdout))
      if (READY.test(line)) return { port: ports.port, kill9: () => kill9(server) };
  }
  throw new Error(`redis-server did not start in ${TRIES} tries`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a port has a number');
  return address.port;
}

async function kill9(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exit = once(server, 'exit');
  server.kill('SIGKILL');
  await exit;
}
