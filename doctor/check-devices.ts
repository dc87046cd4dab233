import {
  type DeviceName,
  describeDevice,
  missingCuda,
  type Provider,
  resolveDevice,
} from '#devices/device.ts';
import { probeProvider } from '#devices/device-probe.ts';
import { isSoftwareGpu } from '#devices/gpu-facts.ts';
import type { Differences } from '#devices/known-answers.ts';
import type { BlockReport } from '#devices/probe-block.ts';
import { errorMessage } from '#errors.ts';
import type { Finding } from './finding.ts';

const PROVIDERS = ['cpu', 'webgpu', 'cuda'] as const;

/** A block of the model on each provider, and what `--device` comes to. A GPU is needed only where it is named. */
export async function checkDevices(asked: DeviceName): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const provider of PROVIDERS) findings.push(await checkProvider(provider, asked));
  return [...findings, await checkChoice(asked)];
}

async function checkProvider(provider: Provider, asked: DeviceName): Promise<Finding> {
  const missing = provider === 'cuda' ? missingCuda() : undefined;
  const report =
    missing === undefined
      ? await probeProvider(provider, 'block')
      : ({ works: false, reason: missing } as const);
  if (!report.works) {
    const state = provider === 'cpu' || asked.split(':')[0] === provider ? 'broken' : 'note';
    return { name: provider, state, detail: report.reason, data: { works: false, reason: report.reason } };
  }
  const { block, drivers, hasHalf, differences } = report;
  if (!block) throw new Error(`The probe of ${provider} measured no block: this is a bug`);
  const isSoftware = provider === 'webgpu' ? isSoftwareGpu(drivers) : false;
  const elsewhere = Object.keys(block.nodes).filter((name) => name !== provider);
  const words = [
    describeBlock(block),
    provider === 'cpu' ? '' : `16-bit floats: ${hasHalf ? 'yes' : 'no'}`,
    describeDifferences(differences),
    isSoftware ? 'in software: hundreds of times slower than it should be, "auto" does not take it' : '',
    drivers.length > 0 ? `driver ${drivers.join(', ')}` : '',
  ];
  return {
    name: provider,
    state: elsewhere.length > 0 ? 'broken' : 'ok',
    detail: words.filter((part) => part !== '').join('; '),
    data: { works: true, ...block, hasHalf, isSoftware, drivers, differences },
  };
}

function describeDifferences(differences: Differences): string {
  const each = Object.entries(differences).map(([name, value]) => `${name} ${value.toExponential(0)}`);
  return `largest difference from the CPU's: ${each.join(', ')}`;
}

function describeBlock(block: BlockReport): string {
  const { nodes, tokens, width, milliseconds, gflops, gigabytesPerSecond } = block;
  const where = Object.entries(nodes).map(([name, count]) => `${count} nodes on ${name}`);
  return [
    where.join(', '),
    `a block of ${tokens} tokens of width ${width} in ${milliseconds.toFixed(1)} ms`,
    `${digits(gflops)} GFLOP/s`,
    `memory ${digits(gigabytesPerSecond)} GB/s`,
  ].join(', ');
}

async function checkChoice(asked: DeviceName): Promise<Finding> {
  const name = `--device ${asked}`;
  try {
    const device = await resolveDevice(asked);
    return { name, state: 'ok', detail: describeDevice(device), data: { ...device } };
  } catch (error) {
    return { name, state: 'broken', detail: errorMessage(error) };
  }
}

function digits(value: number): string {
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}
