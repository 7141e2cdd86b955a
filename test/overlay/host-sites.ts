import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stopSiteProcesses } from '../../examples/demo/run-processes.ts';

const run = promisify(execFile);
const launcher = join(import.meta.dirname, '../../van');
const commandTimeoutMs = 60_000;

/** Sites of the application network in the namespaces of hosts; `far` takes the link. */
export class HostSites implements AsyncDisposable {
  readonly #folder: string;
  readonly #namespaces: Readonly<Record<'near' | 'far', string>>;

  private constructor(folder: string, near: string, far: string) {
    this.#folder = folder;
    this.#namespaces = { near, far };
  }

  static async start(folder: string, near: string, far: string, farAddress: string): Promise<HostSites> {
    const sites = new HostSites(folder, near, far);
    for (const part of ['data', 'run']) mkdirSync(join(folder, part), { recursive: true, mode: 0o700 });
    try {
      const token = join(folder, 'token.yaml');
      await sites.#van('far', 'site', 'create', 'far', '--enable-link-access', '--link-access-host', farAddress);
      await sites.#van('near', 'site', 'create', 'near');
      await sites.#van('far', 'token', 'issue', token);
      await sites.#van('near', 'token', 'redeem', token);
    } catch (error) {
      await sites[Symbol.asyncDispose]();
      throw error;
    }
    return sites;
  }

  /** `van apply` of resources in YAML. */
  async apply(site: 'near' | 'far', resources: string): Promise<void> {
    const file = join(this.#folder, `${site}.yaml`);
    writeFileSync(file, resources);
    await this.#van(site, 'apply', '-f', file);
  }

  async #van(site: 'near' | 'far', ...parameters: readonly string[]): Promise<void> {
    const env = { ...process.env, XDG_DATA_HOME: join(this.#folder, 'data'), XDG_RUNTIME_DIR: join(this.#folder, 'run') };
    const words = ['netns', 'exec', this.#namespaces[site], launcher, '-n', site, ...parameters];
    await run('ip', words, { env, timeout: commandTimeoutMs });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const site of ['near', 'far'] as const) await this.#van(site, 'site', 'delete').catch(() => undefined);
    await stopSiteProcesses(join(this.#folder, 'data'));
  }
}
