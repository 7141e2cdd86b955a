/**
 * Four sites on one machine, each with a router of its own: a service at two of them, by connection and by request, load at a third,
 * overflow from one to the other, and the loss and return of a site. See README.md in this folder.
 *
 * `node examples/demo/main.ts [--check | --keep]`
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { ConsoleClient } from './console-client.ts';
import { freePort, isFree } from './free-port.ts';
import { LiveTable } from './live-table.ts';
import { Load } from './load.ts';
import { compareTopology, compareTraffic } from './observed.ts';
import { runPhase } from './phases.ts';
import { routerPid, startGreetingServer, stopSiteProcesses } from './run-processes.ts';
import { createSite, phases, serviceNames, setUpSteps, siteNames } from './topology.ts';
import { Van } from './van.ts';
import type { PhaseResult } from './phases.ts';
import type { GreetingProcess } from './run-processes.ts';
import type { Ports, ServicePorts } from './topology.ts';

const usage = `Usage: npm run demo -- [--check | --keep]

  --check   no live table: prints one line of JSON at the end; exit code 1 when an expectation is missed, or the web console shows
            something else than what was counted
  --keep    leaves the sites running after the last phase, until Ctrl-C, and prints commands to play with
`;

/** The path to the service works this long after the last command at the latest. */
const serviceTimeoutMs = 20_000;
const pollMs = 100;
/** The load has reached aws before its router is killed. */
const beforeKillMs = 1500;
/** Where the console is without being told otherwise. */
const usualConsolePort = 8010;

/** One run: what it started, and where its state is. */
class Demonstration {
  readonly results: PhaseResult[] = [];
  /** What the console shows differently from what was set up and counted. */
  readonly differences: string[] = [];
  /** How often it was asked. */
  comparisons = 0;
  readonly #folder: string;
  readonly #out: NodeJS.WriteStream;
  readonly #signal: AbortSignal;
  readonly #van: Van;
  readonly #greetingServers: GreetingProcess[] = [];

  constructor(folder: string, out: NodeJS.WriteStream, signal: AbortSignal) {
    this.#folder = folder;
    this.#out = out;
    this.#signal = signal;
    this.#van = new Van(join(folder, 'data'), join(folder, 'run'), (line) => this.#print(line));
  }

  get #dataFolder(): string {
    return join(this.#folder, 'data');
  }

  #print(line: string): void {
    this.#out.write(`${line}\n`);
  }

  /** Sets the network up with the CLI, as a user would, and waits until the service answers at remote. */
  async setUp(): Promise<Ports> {
    const tokens = join(this.#folder, 'tokens');
    for (const folder of [this.#dataFolder, join(this.#folder, 'run'), tokens]) await mkdir(folder, { mode: 0o700 });
    const ports: Ports = {
      awsLinks: await freePort(),
      azureLinks: await freePort(),
      console: (await isFree(usualConsolePort)) ? usualConsolePort : await freePort(),
      services: { greeting: await this.#startServers(), 'greeting-http': await this.#startServers() },
    };
    for (const step of setUpSteps(ports, tokens)) {
      this.#signal.throwIfAborted();
      await this.#van.run(step);
    }
    for (const name of serviceNames) await this.#waitForService(name, ports.services[name].listener);
    this.#print('$ van -n remote network status');
    this.#print(await this.#van.run({ namespace: 'remote', parameters: ['network', 'status'] }, { quiet: true }));
    return ports;
  }

  /** Prints a link to the console for whoever watches, and logs in itself with another. */
  async openConsole(): Promise<ConsoleClient> {
    const step = { namespace: 'remote', parameters: ['console'] };
    this.#print('$ van -n remote console   # open it in a browser within a minute, or make another one');
    this.#print(await this.#van.run(step, { quiet: true }));
    const client = await ConsoleClient.logIn((await this.#van.run(step, { quiet: true })).trim());
    this.#compared('the console', 'sites, links and services', await compareTopology(client, this.#signal));
    return client;
  }

  #compared(who: string, what: string, differences: readonly string[], print = (line: string): void => this.#print(line)): void {
    this.comparisons++;
    this.differences.push(...differences);
    if (differences.length === 0) print(`as expected  ${who} shows the same ${what}`);
    for (const difference of differences) print(`NOT AS EXPECTED  ${difference}`);
  }

  async #startServers(): Promise<ServicePorts> {
    const ports: number[] = [];
    for (const name of ['laptop', 'aws']) {
      const server = await startGreetingServer(name);
      this.#greetingServers.push(server);
      ports.push(server.port);
    }
    const [laptop = 0, aws = 0] = ports;
    return { laptop, aws, listener: await freePort() };
  }

  async #waitForService(name: string, port: number): Promise<void> {
    const deadlineMs = performance.now() + serviceTimeoutMs;
    for (;;) {
      this.#signal.throwIfAborted();
      try {
        const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2000), headers: { Connection: 'close' } });
        if ((await response.text()).trim() === 'laptop') return;
      } catch (error) {
        if (performance.now() > deadlineMs)
          throw new Error(`${name} does not answer at remote after ${serviceTimeoutMs / 1000} s`, { cause: error });
      }
      await sleep(pollMs, undefined, { signal: this.#signal });
    }
  }

  /** Runs the phases one after the other. `live`: with the table. */
  async run(ports: Ports, client: ConsoleClient, live: boolean): Promise<void> {
    const loads = new Map(
      serviceNames.map((name) => {
        const url = `http://127.0.0.1:${ports.services[name].listener}/`;
        return [name, new Load(url, { keepAlive: name === 'greeting-http' })];
      }),
    );
    const table = live ? new LiveTable(loads, this.#out) : undefined;
    const print = (line: string): void => (table === undefined ? this.#print(line) : table.print(line));
    const kill = async (): Promise<void> => {
      await sleep(beforeKillMs, undefined, { signal: this.#signal });
      const pid = routerPid(this.#dataFolder, 'aws');
      print(`$ kill -9 ${pid}   # the router of aws`);
      process.kill(pid, 'SIGKILL');
    };
    const restart = async (): Promise<void> => {
      const step = createSite('aws', ports);
      print(`$ van -n ${step.namespace} ${step.parameters.join(' ')}`);
      await this.#van.run(step, { quiet: true });
    };
    try {
      for (const phase of phases(kill, restart)) {
        table?.setTitle(phase.name);
        for (const result of await runPhase(phase, loads, this.#signal)) {
          this.results.push(result);
          const shares = Object.entries(result.shares).map(([server, share]) => `${server} ${Math.round(share * 100)} %`);
          const errors = result.errorsWhileSettling + result.errors;
          const told = `${shares.sort().join(', ') || 'no answer'}; ${errors} errors`;
          print(`${result.ok ? 'as expected' : 'NOT AS EXPECTED'}  ${phase.name}, ${result.service}: ${told}`);
          if (!result.ok) print(`  expected: ${result.expected}`);
          // What missed its expectation was no steady load, so that two looks at it differ.
          if (result.ok) this.#compared('the console', 'shares and rate', await compareTraffic(client, result, this.#signal), print);
        }
      }
    } finally {
      table?.stop();
      await Promise.all([...loads.values()].map((load) => load.stop()));
    }
  }

  /** Says what can be tried, and waits for Ctrl-C. */
  async keep(ports: Ports): Promise<void> {
    const here = (file: string): string => relative(process.cwd(), join(import.meta.dirname, file));
    this.#print(
      [
        'The sites go on running until Ctrl-C. In another terminal:',
        '',
        ...Object.entries(this.#van.environment).map(([name, value]) => `  export ${name}=${value}`),
        '  ./van -n remote network status',
        '  ./van -n remote console   # prints a link to the web console',
        '  ./van -n azure link status',
        ...serviceNames.map((name) => `  curl http://127.0.0.1:${ports.services[name].listener}/   # ${name}`),
        `  node_modules/.bin/node ${here('load.ts')} --in-flight 10 http://127.0.0.1:${ports.services.greeting.listener}/`,
        `  node_modules/.bin/node ${here('load.ts')} --in-flight 10 --keep-alive http://127.0.0.1:${ports.services['greeting-http'].listener}/`,
        `  kill -9 ${routerPid(this.#dataFolder, 'aws')}   # the router of aws; start it again:`,
        `  ./van -n aws ${createSite('aws', ports).parameters.join(' ')}`,
        '',
      ].join('\n'),
    );
    await new Promise((resolve) => this.#signal.addEventListener('abort', resolve));
  }

  /** Ends everything that this run started and removes its state. */
  async cleanUp(): Promise<void> {
    // Deleting is what a user does; whatever does not follow it is ended by pid.
    await Promise.allSettled(
      siteNames.map(async (site) => await this.#van.run({ namespace: site, parameters: ['site', 'delete'] }, { quiet: true })),
    );
    await stopSiteProcesses(this.#dataFolder);
    for (const server of this.#greetingServers) await server.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  let values: { check: boolean; keep: boolean; help: boolean };
  try {
    values = parseArgs({
      options: {
        check: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
    if (values.check && values.keep) throw new TypeError('--check ends by itself; --keep does not: use one of them');
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const startMs = performance.now();
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort(new Error('interrupted'));
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  // With --check, stdout is for the one line of JSON.
  const out = values.check ? process.stderr : process.stdout;
  const demonstration = new Demonstration(await mkdtemp(join(tmpdir(), 'van-demo-')), out, interrupted.signal);
  let failure: string | undefined;
  try {
    const ports = await demonstration.setUp();
    const client = await demonstration.openConsole();
    await demonstration.run(ports, client, !values.check);
    if (values.keep) await demonstration.keep(ports);
  } catch (error) {
    failure = interrupted.signal.aborted ? 'interrupted' : (error as Error).message;
    process.stderr.write(`${failure}\n`);
  } finally {
    await demonstration.cleanUp();
  }
  const { results, comparisons, differences } = demonstration;
  const ok = failure === undefined && results.every((result) => result.ok) && differences.length === 0;
  if (values.check) {
    const seconds = Number(((performance.now() - startMs) / 1000).toFixed(1));
    process.stdout.write(
      `${JSON.stringify({ ok, seconds, phases: results, console: { comparisons, differences }, ...(failure === undefined ? {} : { failure }) })}\n`,
    );
  }
  if (interrupted.signal.aborted && failure !== undefined) return 130;
  return ok ? 0 : 1;
}

process.exitCode = await main();
