import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The programs that the tests use beside Node. What is missing is installed on Debian and Ubuntu, with sudo where this is
 * not root; elsewhere, and where that fails, the line that installs it is printed, and no test begins.
 */

interface Program {
  readonly name: string;
  /** The Debian package that has it. */
  readonly packageName: string;
  isThere(): boolean;
}

const INSTALL = fileURLToPath(new URL('install-debian.sh', import.meta.url));
const PROGRAMS: readonly Program[] = [
  command('git', 'git'),
  command('mkfifo', 'coreutils'),
  command('redis-server', 'redis-server'),
  command('openssl', 'openssl'),
  command('chromium', 'chromium'),
  // A GPU in software, as test/fixtures/software-gpu.ts uses it, and the loader of its driver.
  {
    name: 'SwiftShader',
    packageName: 'chromium',
    isThere: () => existsSync('/usr/lib/chromium/vk_swiftshader_icd.json'),
  },
  { name: 'libvulkan.so.1', packageName: 'libvulkan1', isThere: () => hasLibrary('libvulkan.so.1') },
];

/** Throws where programs are missing and cannot be installed. */
export function providePrograms(): void {
  const missing = PROGRAMS.filter((program) => !program.isThere());
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(({ packageName }) => packageName))];
  const root = process.getuid?.() === 0;
  if (findOnPath('apt-get') && (root || findOnPath('sudo'))) {
    const line = [...(root ? [] : ['sudo']), 'bash', INSTALL, ...packages];
    process.stderr.write(`Installing what the tests use: ${packages.join(' ')}\n`);
    spawnSync(line[0] ?? '', line.slice(1), { stdio: 'inherit' });
  }
  const left = missing.filter((program) => !program.isThere());
  if (left.length === 0) return;
  const names = left.map(({ name }) => name).join(', ');
  const needed = [...new Set(left.map(({ packageName }) => packageName))].join(' ');
  throw new Error(
    `Cannot test: ${names} missing. On Debian and Ubuntu: sudo apt-get install ${needed}; elsewhere, what has these names there`,
  );
}

function command(name: string, packageName: string): Program {
  return { name, packageName, isThere: () => findOnPath(name) };
}

function findOnPath(name: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** As the loader of libraries finds it; who is not root seldom has /sbin on the PATH. */
function hasLibrary(name: string): boolean {
  const found = ['/sbin/ldconfig', 'ldconfig'].map((program) =>
    spawnSync(program, ['-p'], { encoding: 'utf8' }),
  );
  return found.some(({ stdout }) => (stdout ?? '').includes(name));
}

if (import.meta.main) {
  try {
    providePrograms();
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
