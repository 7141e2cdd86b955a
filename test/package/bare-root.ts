import { spawnSync } from 'node:child_process';
import { constants } from 'node:fs';
import { copyFile, mkdir, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const administration = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
/** What the package carries itself. */
const carried = /^lib(?:atomic|stdc\+\+|gcc_s)\.so/;
/** Parts of the C library that Node loads. */
const ofTheLibraryC = ['libdl.so.2', 'libm.so.6', 'libpthread.so.0', 'libc.so.6'];
const timeoutMs = 60_000;

/** Fills a folder with a shell, `readlink` and the C library, as the root of a system. Gives why that cannot be done here. */
export async function buildBareRoot(root: string): Promise<string | undefined> {
  if (spawnSync('unshare', ['-m', 'true'], { env: administration }).status !== 0) return 'mount namespaces cannot be made';
  const libraries = new Map<string, string>();
  for (const program of ['/bin/sh', '/bin/readlink']) {
    await place(program, join(root, 'bin', basename(program)));
    const { stdout, status } = spawnSync('ldd', [program], { encoding: 'utf8', env: administration });
    if (status !== 0) return 'ldd does not tell what the shell needs';
    for (const [path] of stdout.matchAll(/\/\S+/g)) libraries.set(basename(path), path);
  }
  const library = libraries.get('libc.so.6');
  if (library === undefined) return 'the C library is not the one that Node is built for';
  for (const name of ofTheLibraryC) libraries.set(name, join(dirname(library), name));
  for (const [name, path] of libraries) if (!carried.test(name)) await place(path, join(root, path));
  for (const folder of ['package', 'proc', 'dev', 'home', 'usr/local/bin']) await mkdir(join(root, folder), { recursive: true });
  return undefined;
}

async function place(file: string, at: string): Promise<void> {
  await mkdir(dirname(at), { recursive: true });
  await copyFile(await realpath(file), at, constants.COPYFILE_FICLONE);
}

/** Runs a line of shell there with the package at /package; what it mounts goes with it. */
export function runInBareRoot(root: string, unpacked: string, line: string): { status: number | null; stdout: string; stderr: string } {
  const script = `
    mount --bind "$2" "$1/package" && mount -o remount,bind,ro "$1/package" && mount -t proc none "$1/proc" && mount --rbind /dev "$1/dev" &&
    ln -s /package/van "$1/usr/local/bin/van" && exec chroot "$1" /bin/sh -c "PATH=/usr/local/bin:/bin HOME=/home; export PATH HOME; $3"`;
  return spawnSync('unshare', ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script, 'sh', root, unpacked, line], {
    encoding: 'utf8',
    env: administration,
    timeout: timeoutMs,
  });
}
