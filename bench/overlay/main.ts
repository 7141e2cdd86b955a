/**
 * The overlay's data path beside bridges and the kernel's VXLAN, on one machine. See README.md in this folder.
 * `node bench/overlay/main.ts --help`
 */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import { WeatherError } from '../../src/base/errors.ts';
import { LinuxBpf } from '../../src/kernel/bpf/linux-bpf.ts';
import { describeMachine } from '../machine.ts';
import { Processes } from '../processes.ts';
import { findProgram } from '../tools.ts';
import { check } from './check.ts';
import { bulk, datagrams } from './loads/bulk.ts';
import { firstPacket, roundTrips } from './loads/round-trips.ts';
import type { Load, LoadContext, Sample } from './loads/load.ts';
import { machineUsage } from '../machine-usage.ts';
import { Network } from './network.ts';
import { podMtu, underlayMtu } from './sizes.ts';
import { matches } from '../option-values.ts';
import { parseOptions, usage, type Options } from './options.ts';
import { formatPacketTimes, measurePacketTimes } from './packet-times.ts';
import { bridge, bridgePlain, vxlan } from './paths/bridge.ts';
import { caravanMixed, caravanTcx, caravanXdp, objectMissing } from './paths/caravan.ts';
import type { Path, PathKind } from './paths/path.ts';
import { formatLoad, type LoadResult } from './report.ts';
import { figures, figuresMissing } from './scale/figures.ts';

/** IPv4 and UDP. */
const udpHeaderBytes = 28;
const packetLoad = 'packet';
const kinds: readonly PathKind[] = [bridge, bridgePlain, vxlan, caravanTcx, caravanMixed, caravanXdp];
const loads: readonly Load[] = [
  bulk(1, false),
  bulk(1, true),
  bulk(4, false),
  bulk(4, true),
  datagrams('64', 64),
  datagrams('mtu', podMtu - udpHeaderBytes),
  roundTrips(),
  firstPacket,
  bulk(1, false, 'same-host'),
  datagrams('64', 64, 'same-host'),
  roundTrips('same-host'),
];
const tools = ['ip', 'bridge', 'tc', 'nsenter', 'iperf3'];
/** More than this for each core, and other work is in every number. */
const quietLoadPerCore = 0.1;

/** Why it cannot run here; undefined: it can. */
function missing(): string | undefined {
  if (process.platform !== 'linux') return `it needs Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'network namespaces and BPF need root';
  const absent = tools.filter((tool) => findProgram(tool) === undefined);
  if (absent.length > 0) return `not installed: ${absent.join(', ')} (Debian: apt install iproute2 util-linux iperf3)`;
  try {
    new LinuxBpf().close();
  } catch (error) {
    if (error instanceof WeatherError) return error.message;
    throw error;
  }
  return objectMissing();
}

async function attempt<T>(failures: string[], what: string, signal: AbortSignal, action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    signal.throwIfAborted();
    failures.push(`${what}: ${(error as Error).message}`);
    process.stderr.write(`FAILED ${what}: ${(error as Error).message}\n`);
    return undefined;
  }
}

async function runAll(options: Options, context: LoadContext, network: Network): Promise<number> {
  const failures: string[] = [];
  const startedMs = performance.now();
  const { stolenSeconds } = machineUsage();
  const { signal } = context;
  const isChosen = (name: string): boolean => options.only.length === 0 || options.only.some((pattern) => matches(name, pattern));
  const chosenLoads = loads.filter(({ name }) => isChosen(name));
  const heading = `${new Date().toISOString().slice(0, 10)}; ${describeMachine()}.`;
  process.stdout.write(`${heading}\n`);
  if ((loadavg()[0] as number) > quietLoadPerCore * availableParallelism())
    process.stdout.write('WARNING: the machine is busy: these numbers show other work too, and are worth no more than a first look.\n');
  process.stdout.write(
    `Underlay MTU ${underlayMtu}, MTU in all pods ${podMtu}. Medians of ${options.rounds} rounds of ${options.seconds} s, paths in turns.\n\n`,
  );

  const paths = new Map<string, Path>();
  if (chosenLoads.length > 0)
    for (const kind of kinds) {
      if (options.paths.length > 0 && !options.paths.includes(kind.name)) continue;
      const path = await attempt(failures, kind.name, signal, async () => {
        const built = await kind.build(network);
        await check(built, context);
        return built;
      });
      if (path !== undefined) paths.set(kind.name, path);
      process.stdout.write(`- \`${kind.name}\`: ${kind.title}: ${path === undefined ? 'FAILED its check, see the end' : 'works'}\n`);
    }
  process.stdout.write('\n');

  const results: LoadResult[] = [];
  for (const load of chosenLoads) {
    const samples = new Map<string, (Sample | undefined)[]>(Array.from(paths.keys(), (name) => [name, []]));
    for (let round = 1; round <= options.rounds; round += 1)
      for (const [name, path] of paths) {
        process.stderr.write(`${load.name}, round ${round} of ${options.rounds}: ${name}\n`);
        const what = `${load.name}, round ${round}, ${name}`;
        samples.get(name)?.push(await attempt(failures, what, signal, async () => await load.measure(path, context)));
      }
    results.push({ load, samples });
    process.stdout.write(`${formatLoad({ load, samples })}\n\n`);
  }
  const packetTimes = isChosen(packetLoad) ? measurePacketTimes(network.bpf) : [];
  if (packetTimes.length > 0) process.stdout.write(`${formatPacketTimes(packetTimes)}\n\n`);
  const figureData: Record<string, unknown> = {};
  for (const figure of figures.filter(({ name }) => options.only.includes(name))) {
    const progress = (line: string): void => void process.stderr.write(`${figure.name}: ${line}\n`);
    const result = await attempt(failures, figure.name, signal, async () => await figure.measure(options, progress));
    if (result === undefined) continue;
    figureData[figure.name] = result.data;
    process.stdout.write(`${result.text}\n\n`);
    failures.push(...result.misses);
  }
  const stolenPercent =
    ((machineUsage().stolenSeconds - stolenSeconds) * 100_000) / (performance.now() - startedMs) / availableParallelism();
  process.stdout.write(`Stolen by other machines: ${stolenPercent.toFixed(1)} % of the CPU time of this run.\n`);
  if (options.jsonFile !== undefined) {
    const measurements = results.map(({ load, samples }) => ({ load: load.name, samples: Object.fromEntries(samples) }));
    await writeFile(
      options.jsonFile,
      `${JSON.stringify({ heading, options, measurements, packetTimes, figures: figureData, stolenPercent, failures }, undefined, 2)}\n`,
    );
  }
  if (failures.length > 0) process.stdout.write(`Failed:\n${failures.map((failure) => `- ${failure}\n`).join('')}`);
  return failures.length > 0 ? 1 : 0;
}

async function main(): Promise<number> {
  let options: Options | undefined;
  try {
    const names = [...loads.map(({ name }) => name), packetLoad, ...figures.map(({ name }) => name)];
    options = parseOptions(
      process.argv.slice(2),
      names,
      kinds.map(({ name }) => name),
    );
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  if (options === undefined) {
    process.stdout.write(usage);
    return 0;
  }
  const needsDaemons = figures.some(({ name }) => options.only.includes(name));
  const reason = missing() ?? (needsDaemons ? figuresMissing() : undefined);
  if (reason !== undefined) {
    process.stdout.write(`Skipped: ${reason}\n`);
    return 0;
  }
  const processes = new Processes();
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort(new Error('interrupted'));
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  process.once('exit', () => processes.killNow());
  using network = new Network(`cvb${randomBytes(3).toString('hex')}`);
  try {
    return await runAll(options, { processes, seconds: options.seconds, signal: interrupted.signal }, network);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return interrupted.signal.aborted ? 130 : 1;
  } finally {
    await processes[Symbol.asyncDispose]();
  }
}

process.exitCode = await main();
