import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { freePort } from './demo/free-port.ts';
import { stopSiteProcesses } from './demo/run-processes.ts';
import { Van } from './demo/van.ts';

/** A port answers this long after its resources were applied, at the latest. */
const answerTimeoutMs = 15_000;
const pollMs = 20;

/**
 * Two linked sites on this machine, with their state in a folder of their own: `near` has the clients, `far` the servers. Disposing deletes
 * them, ends what is left of their processes, and removes the folder.
 */
export class TwoSites implements AsyncDisposable {
  readonly #folder: string;
  readonly #van: Van;
  readonly #print: (line: string) => void;

  private constructor(folder: string, print: (line: string) => void) {
    this.#folder = folder;
    this.#print = print;
    this.#van = new Van(join(folder, 'data'), join(folder, 'run'), print);
  }

  /** `print` gets what is typed. */
  static async start(print: (line: string) => void): Promise<TwoSites> {
    const sites = new TwoSites(await mkdtemp(join(tmpdir(), 'van-example-')), print);
    try {
      for (const folder of ['data', 'run']) await mkdir(join(sites.#folder, folder), { mode: 0o700 });
      const access = ['--enable-link-access', '--link-access-host', '127.0.0.1', '--link-access-port', String(await freePort())];
      const token = join(sites.#folder, 'token.yaml');
      await Promise.all([sites.#run('far', 'site', 'create', 'far', ...access), sites.#run('near', 'site', 'create', 'near')]);
      await sites.#run('far', 'token', 'issue', token);
      await sites.#run('near', 'token', 'redeem', token);
      return sites;
    } catch (error) {
      await sites[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #run(namespace: 'near' | 'far', ...parameters: string[]): Promise<void> {
    await this.#van.run({ namespace, parameters });
  }

  /** `van apply` of resources in YAML. */
  async apply(namespace: 'near' | 'far', resources: string): Promise<void> {
    const file = join(this.#folder, `${namespace}.yaml`);
    await writeFile(file, resources);
    this.#print(resources.trim().replaceAll(/^/gm, '    '));
    await this.#run(namespace, 'apply', '-f', file);
  }

  /** Waits until something listens at the port and answers with 200. */
  async answering(port: number): Promise<void> {
    const deadlineMs = performance.now() + answerTimeoutMs;
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
      await answer?.arrayBuffer();
      if (answer?.status === 200) return;
      if (performance.now() > deadlineMs) throw new Error(`nobody answers at port ${port}`);
      await sleep(pollMs);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const deleted = ['near', 'far'].map(async (namespace) => {
      await this.#van.run({ namespace, parameters: ['site', 'delete'] }, { quiet: true });
    });
    await Promise.allSettled(deleted);
    await stopSiteProcesses(join(this.#folder, 'data'));
    await rm(this.#folder, { recursive: true, force: true });
  }
}
