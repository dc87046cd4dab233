import { availableParallelism, cpus, totalmem } from 'node:os';
import ort from 'onnxruntime-node';
import packageJson from '#package.json' with { type: 'json' };

/** Machine, versions and call, so that a figure can be made again. */
export function printHeader(name: string, args: readonly string[]): void {
  console.log(`vlmo-pipeline ${packageJson.version}: npm run bench -- ${[name, ...args].join(' ')}`);
  console.log(
    `${cpus()[0]?.model}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${process.arch}`,
  );
  const { node } = process.versions;
  const packages = packageJson.dependencies;
  console.log(
    `Node ${node}, onnxruntime ${ort.env.versions.common}, sharp ${packages.sharp}, LanceDB ${packages['@lancedb/lancedb']}\n`,
  );
}

/** The middle of several measurements. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
