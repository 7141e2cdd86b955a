import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectFolder } from '../source-files.ts';

export interface PluginRun {
  /** Null when a signal ended it. */
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** The plugin, compiled from its source into a folder of its own. Disposal removes the folder. */
export class Plugin implements Disposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'caravan-cni-'));

  /** `flags` take the place of the usual ones. Throws with what the compiler said. */
  constructor(flags?: string) {
    const environment = { ...process.env, ...(flags === undefined ? {} : { CFLAGS: flags }) };
    const { status, stderr, error } = spawnSync(join(projectFolder, 'cni/build.sh'), [this.folder], { encoding: 'utf8', env: environment });
    if (status === 0) return;
    this[Symbol.dispose]();
    throw new Error(`the plugin does not compile: ${error?.message ?? stderr}`);
  }

  /** Runs it once with exactly this environment. */
  run(environment: Readonly<Record<string, string>>, input: string | Uint8Array): Promise<PluginRun> {
    return new Promise((resolve, reject) => {
      const child = spawn(join(this.folder, 'caravan-cni'), [], { env: environment, stdio: 'pipe' });
      const out: Buffer[] = [];
      let stderr = '';
      child.stdout.on('data', (bytes: Buffer) => out.push(bytes));
      child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
      // It may end before it has read everything.
      child.stdin.on('error', () => undefined);
      child.stdin.end(input);
      child.on('error', reject);
      child.on('close', (status) => resolve({ status, stdout: Buffer.concat(out), stderr }));
    });
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Why the plugin cannot be compiled here; undefined when it can. */
export function compilerMissing(): string | undefined {
  return spawnSync(process.env['CC'] ?? 'cc', ['--version']).status === 0 ? undefined : 'no C compiler is installed';
}

/** The environment that a runtime gives: all variables, empty where they say nothing. */
export function environmentOf(command: string, containerId = '', ifname = '', netns = '', parameters = ''): Record<string, string> {
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: containerId,
    CNI_NETNS: netns,
    CNI_IFNAME: ifname,
    CNI_ARGS: parameters,
    CNI_PATH: '/opt/cni/bin',
  };
}
