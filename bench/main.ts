/**
 * Benchmarks of a path through two routers and one TLS link, beside other ways. See README.md in this folder.
 * `node bench/main.ts --help`
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { makeCertificates } from './certificates.ts';
import { bulk } from './loads/bulk.ts';
import { datagrams } from './loads/datagrams.ts';
import { connections } from './loads/connections.ts';
import { http2Requests } from './loads/http2-requests.ts';
import { idleHttpMemory, idleMemory, openStreamMemory } from './loads/idle-memory.ts';
import { httpRequests, requests } from './loads/requests.ts';
import { describeMachine } from './machine.ts';
import { freePorts, waitUntilAnswering, waitUntilHttp2 } from './network.ts';
import { matches } from './option-values.ts';
import { parseOptions, usage } from './options.ts';
import { Processes } from './processes.ts';
import { formatProfiles } from './profile.ts';
import { formatLoad } from './report.ts';
import { caravan, caravanObserved, caravanTcp } from './targets/caravan.ts';
import { direct } from './targets/direct.ts';
import { haproxy } from './targets/haproxy.ts';
import { nginx } from './targets/nginx.ts';
import { skupperRouter } from './targets/skupper-router.ts';
import { findProgram } from './tools.ts';
import type { Load, LoadContext, Sample } from './loads/load.ts';
import type { Options } from './options.ts';
import type { LoadResult } from './report.ts';
import type { Target, TargetContext, TargetKind } from './targets/target.ts';

const kinds: readonly TargetKind[] = [direct, haproxy, nginx, skupperRouter, caravanTcp, caravanObserved, caravan];
const connectionCounts = [1, 16, 64, 256];
const loads: readonly Load[] = [
  ...connectionCounts.map(requests),
  connections,
  ...[1, 4].flatMap((streams) => [bulk(streams, false), bulk(streams, true)]),
  idleMemory,
  ...connectionCounts.map(httpRequests),
  ...connectionCounts.map((count) => http2Requests(count, 'http2')),
  ...connectionCounts.map((count) => http2Requests(count, 'grpc')),
  idleHttpMemory,
  openStreamMemory,
  datagrams(false),
  datagrams(true),
];

/** Everything that one run shares. */
class Run {
  readonly failures: string[] = [];
  readonly #options: Options;
  readonly #loadContext: LoadContext;
  readonly #targetContext: Omit<TargetContext, 'directory'>;
  readonly #directory: string;
  #started = 0;

  constructor(options: Options, loadContext: LoadContext, targetContext: Omit<TargetContext, 'directory'>, directory: string) {
    this.#options = options;
    this.#loadContext = loadContext;
    this.#targetContext = targetContext;
    this.#directory = directory;
  }

  /** Starts a path and waits until it works. */
  async start(kind: TargetKind): Promise<Target> {
    this.#started += 1;
    const directory = join(this.#directory, `${kind.name}-${this.#started}`);
    await mkdir(directory);
    const target = await kind.start({ ...this.#targetContext, directory });
    try {
      const alive = (): boolean => target.routers.every((router) => router.running());
      for (const service of ['tcp', 'http1'] as const) {
        const port = target.ports[service];
        if (port !== undefined) await waitUntilAnswering(port, this.#loadContext.signal, alive);
      }
      if (target.ports.http2 !== undefined) await waitUntilHttp2(target.ports.http2, this.#loadContext.signal, alive);
      return target;
    } catch (error) {
      const output = target.routers.map((router) => `${router.name}: ${router.output().trim().slice(-1500)}`).join('\n');
      await this.stop(target);
      throw new Error(`${kind.name} did not start: ${(error as Error).message}\n${output}`, { cause: error });
    }
  }

  async stop(target: Target): Promise<void> {
    for (const router of target.routers) await this.#loadContext.processes.stop(router);
  }

  /** Gives undefined, and notes the failure, when the measurement fails. */
  async #attempt<T>(what: string, action: () => Promise<T>): Promise<T | undefined> {
    try {
      return await action();
    } catch (error) {
      this.#loadContext.signal.throwIfAborted();
      const message = `${what}: ${(error as Error).message}`;
      this.failures.push(message);
      process.stderr.write(`FAILED ${message}\n`);
      return undefined;
    }
  }

  /** Measures one load in rounds: each target once, then each again. */
  async measure(load: Load, targets: ReadonlyMap<TargetKind, Target>): Promise<LoadResult> {
    const samples = new Map<string, (Sample | undefined)[]>();
    for (const kind of targets.keys())
      if (kind.services.includes(load.service) && (!load.needsRouters || kind !== direct)) samples.set(kind.name, []);
    for (let round = 1; round <= this.#options.rounds; round += 1)
      for (const [kind, target] of targets) {
        const rounds = samples.get(kind.name);
        if (rounds === undefined) continue;
        process.stderr.write(`${load.name}, round ${round} of ${this.#options.rounds}: ${kind.name}\n`);
        const sample = await this.#attempt(`${load.name}, round ${round}, ${kind.name}`, async () => {
          if (load.fresh) return await this.#measureFresh(load, kind);
          // While the others had their turn, this path was at rest.
          await load.warmUp(target, this.#loadContext);
          return await load.measure(target, this.#loadContext);
        });
        rounds.push(sample);
      }
    return { load, samples };
  }

  async #measureFresh(load: Load, kind: TargetKind): Promise<Sample> {
    const target = await this.start(kind);
    try {
      return await load.measure(target, this.#loadContext);
    } finally {
      await this.stop(target);
    }
  }
}

/** Says what is left out and why; gives what is left. */
function available<T extends TargetKind | Load>(items: readonly T[]): T[] {
  return items.filter((item) => {
    const reason = item.missing();
    if (reason !== undefined) process.stdout.write(`Skipped: ${item.name}: ${reason}\n`);
    return reason === undefined;
  });
}

async function runAll(options: Options, processes: Processes, signal: AbortSignal): Promise<number> {
  if (findProgram('openssl') === undefined) throw new TypeError('openssl is not installed (Debian: apt install openssl)');
  const chosenLoads = available(loads.filter((load) => options.only.length === 0 || options.only.some((name) => matches(load.name, name))));
  const isChosen = ({ name, byName }: TargetKind): boolean =>
    options.targets.length === 0 ? byName !== true : options.targets.includes(name);
  const chosenKinds = available(kinds.filter(isChosen));
  if (options.profileDirectory !== undefined) await mkdir(options.profileDirectory, { recursive: true });

  const directory = await mkdtemp(join(tmpdir(), 'caravan-bench-'));
  try {
    const certificates = await makeCertificates(processes, directory);
    const [httpBackendPort, http2BackendPort, bulkBackendPort] = (await freePorts(3)) as [number, number, number];
    await processes.start('http backend', [
      process.execPath,
      fileURLToPath(import.meta.resolve('./http-backend.ts')),
      String(httpBackendPort),
    ]);
    await processes.start('http2 backend', [
      process.execPath,
      fileURLToPath(import.meta.resolve('./http2-backend.ts')),
      String(http2BackendPort),
    ]);
    await waitUntilAnswering(httpBackendPort, signal, () => true);
    await waitUntilHttp2(http2BackendPort, signal, () => true);
    const run = new Run(
      options,
      { processes, seconds: options.seconds, signal, bulkBackendPort, directory },
      { processes, certificates, httpBackendPort, http2BackendPort, bulkBackendPort, profileDirectory: options.profileDirectory },
      directory,
    );

    const heading = [`${new Date().toISOString().slice(0, 10)}; ${describeMachine()}.`, ''];
    const targets = new Map<TargetKind, Target>();
    for (const kind of chosenKinds) {
      try {
        targets.set(kind, await run.start(kind));
        heading.push(`- ${kind.name}: ${await kind.describe(processes)}`);
      } catch (error) {
        signal.throwIfAborted();
        run.failures.push((error as Error).message);
        process.stdout.write(`Skipped: ${kind.name}: it did not start, see the end\n`);
      }
    }
    heading.push(
      '',
      `Medians of ${options.rounds} rounds of ${options.seconds} s, paths in turns; ratios are medians of the rounds' ratios.`,
      '',
    );
    process.stdout.write(`${heading.join('\n')}\n`);

    const results: LoadResult[] = [];
    for (const load of chosenLoads) {
      const result = await run.measure(load, targets);
      results.push(result);
      process.stdout.write(`${formatLoad(result)}\n\n`);
    }
    for (const target of targets.values()) await run.stop(target);
    if (options.profileDirectory !== undefined) process.stdout.write(`${formatProfiles(options.profileDirectory)}\n\n`);
    if (options.jsonFile !== undefined) {
      const measurements = results.map((result) => ({ load: result.load.name, samples: Object.fromEntries(result.samples) }));
      await writeFile(options.jsonFile, `${JSON.stringify({ heading, options, measurements, failures: run.failures }, undefined, 2)}\n`);
    }
    if (run.failures.length > 0) process.stdout.write(`Failed:\n${run.failures.map((failure) => `- ${failure}\n`).join('')}`);
    return run.failures.length > 0 ? 1 : 0;
  } finally {
    await processes[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  let options: Options | undefined;
  try {
    options = parseOptions(
      process.argv.slice(2),
      loads.map((load) => load.name),
      kinds.map((kind) => kind.name),
    );
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  if (options === undefined) {
    process.stdout.write(usage);
    return 0;
  }
  if (process.platform !== 'linux') {
    process.stderr.write('CPU time and memory are read from /proc: the benchmarks run on Linux only.\n');
    return 2;
  }
  const processes = new Processes();
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort(new Error('interrupted'));
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  process.once('exit', () => processes.killNow());
  try {
    return await runAll(options, processes, interrupted.signal);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return interrupted.signal.aborted ? 130 : 1;
  }
}

process.exitCode = await main();
