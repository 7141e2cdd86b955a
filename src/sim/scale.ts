import { connectAtRandom, ScaleNetwork } from './scale-network.ts';
import { wrongRoutes } from './scale-truth.ts';
import { SeededRandom } from './seeded-random.ts';

/** Links of each router. */
const degree = 4;
/**
 * A larger network starts warm unless it is told otherwise: in a cold start each router hears of each other one about three times, which for 10,000
 * routers takes longer than anybody waits.
 */
export const mostColdRouters = 5_000;
/** Time for routers to hear their neighbours before a warm start, sign what they have heard, and come to rest. */
const acquaintanceMs = 5_000;
/** Nothing has changed anywhere for this long: what was to come has come, and changes before count no more for the pauses of paths. */
const quietMs = 12_000;
/** The same where nothing but the table changes, or nothing at all: after an address, and after a warm start. */
const shortQuietMs = 3_000;
/** A network that has not come to rest by then does not converge. */
const patienceMs = 60_000;

/** Hash key of the service that is offered at the end. */
const address = 'Mbackend';

/** What the process uses, as only its owner can say. */
export interface ScaleResources {
  cpuSeconds(): number;
  memory(): { readonly residentMiB: number; readonly heapMiB: number };
}

/**
 * Cold: nobody knows anybody, and what all have to say goes from hop to hop. Warm: routers hear their neighbours first, and are then given
 * each other's records at once, without a flood.
 */
export type ScaleStart = 'cold' | 'warm';

export interface ScaleOptions {
  readonly routers: number;
  readonly seed: number;
  /** By default cold for up to `mostColdRouters`. */
  readonly start?: ScaleStart | undefined;
  readonly resources: ScaleResources;
}

/** What one change did to the network. */
export interface ScalePhase {
  readonly change: 'start' | 'cut' | 'crash' | 'address';
  /**
   * Virtual time from the change until the last router had its last routes; of an address: until the last router knew it. 0 for a warm start, which
   * says nothing about starts.
   */
  readonly convergedMs: number;
  /** Routers whose routes, or table, changed. */
  readonly routersChanged: number;
  /** Routing messages other than HELLO over all links, and the signed records in them. */
  readonly messages: number;
  readonly records: number;
  readonly recordMiB: number;
  /** Computations of paths by all routers. */
  readonly pathRuns: number;
  readonly hellos: number;
  readonly cpuSeconds: number;
  readonly residentMiB: number;
  readonly heapMiB: number;
  /** What is wrong with the routes at the end. */
  readonly wrong: readonly string[];
}

export interface ScaleReport {
  readonly seed: number;
  readonly routers: number;
  readonly links: number;
  readonly start: ScaleStart;
  readonly virtualMs: number;
  readonly cpuSeconds: number;
  readonly phases: readonly ScalePhase[];
  /** Whether all databases and routes are what they must be, each time. */
  readonly agreed: boolean;
}

/**
 * A large network starts; then a link is cut; then a router dies; then a service is offered. Calls `print` with a line for each change and at the end
 * with the report as JSON.
 */
export function runScale(options: ScaleOptions, print: (line: string) => void): ScaleReport {
  const { routers, seed, resources } = options;
  const { start = routers > mostColdRouters ? 'warm' : 'cold' } = options;
  const random = new SeededRandom(seed);
  const startedSeconds = resources.cpuSeconds();
  const network = new ScaleNetwork(routers);
  const phases: ScalePhase[] = [];
  const phase = (change: ScalePhase['change'], restMs: number, act: () => void): void => {
    const result = observe(network, change, restMs, act, resources, random);
    phases.push(result);
    const { convergedMs, messages, records, pathRuns, cpuSeconds, residentMiB, wrong } = result;
    print(
      `${change === 'start' ? `${start} start` : change}: ${convergedMs} ms, ${messages} messages, ${records} records, ${pathRuns} computations of paths, ` +
        `${cpuSeconds} s of CPU, ${residentMiB} MiB resident${wrong.length > 0 ? `, WRONG: ${wrong.join('; ')}` : ''}`,
    );
  };
  phase('start', start === 'warm' ? shortQuietMs : quietMs, () => startNetwork(network, start, random.split('links')));
  phase('cut', quietMs, () => network.cut(random.split('cut').pick(network.cables)));
  phase('crash', quietMs, () => network.crash(random.split('crash').below(routers)));
  phase('address', shortQuietMs, () => network.announce(random.split('address').pick(network.running), address));
  const report: ScaleReport = {
    seed,
    routers,
    links: network.cables.length,
    start,
    virtualMs: network.nowMs,
    cpuSeconds: round(resources.cpuSeconds() - startedSeconds),
    phases,
    agreed: phases.every(({ wrong }) => wrong.length === 0),
  };
  print(JSON.stringify(report));
  return report;
}

/** Links `degree` times as many as half the routers, and brings them up. */
export function startNetwork(network: ScaleNetwork, start: ScaleStart, random: SeededRandom): void {
  if (start === 'warm') network.holdRecords();
  connectAtRandom(network, degree, random);
  if (start === 'cold') return;
  network.run(acquaintanceMs);
  network.releaseRecords();
}

function observe(
  network: ScaleNetwork,
  change: ScalePhase['change'],
  restMs: number,
  act: () => void,
  resources: ScaleResources,
  random: SeededRandom,
): ScalePhase {
  const startedSeconds = resources.cpuSeconds();
  const before = { ...network.counts };
  const runsBefore = pathRuns(network);
  act();
  const startMs = network.nowMs;
  const changes = change === 'address' ? network.tableChangedMs : network.routesChangedMs;
  let lastMs = startMs;
  do {
    network.run(250);
    for (const changedMs of changes) lastMs = Math.max(lastMs, changedMs);
  } while (network.nowMs - lastMs < restMs && network.nowMs - startMs < patienceMs);
  const { counts } = network;
  const { residentMiB, heapMiB } = resources.memory();
  return {
    change,
    convergedMs: lastMs - startMs,
    routersChanged: changes.reduce((sum, changedMs) => sum + (changedMs > startMs ? 1 : 0), 0),
    messages: counts.messages - before.messages,
    records: counts.records - before.records,
    recordMiB: round((counts.octets - before.octets) / 1024 / 1024),
    pathRuns: pathRuns(network) - runsBefore,
    hellos: counts.hellos - before.hellos,
    cpuSeconds: round(resources.cpuSeconds() - startedSeconds),
    residentMiB: Math.round(residentMiB),
    heapMiB: Math.round(heapMiB),
    wrong: [...wrongDatabases(network), ...(change === 'address' ? wrongAddresses(network) : wrongRoutes(network, random.split('walks')))],
  };
}

/** Which routers do not know as many others as there are, and whether all hold the same records. */
function wrongDatabases(network: ScaleNetwork): string[] {
  const wrong: string[] = [];
  const running = network.running;
  const digests = new Set(running.map((router) => network.engine(router)?.recordDigest));
  if (digests.size > 1) wrong.push(`there are ${digests.size} different databases`);
  for (const router of running) {
    const { size } = network.engine(router)?.table.routers ?? { size: 0 };
    if (size !== running.length - 1 && wrong.length < 10) wrong.push(`router ${router} reaches ${size} of ${running.length - 1} others`);
  }
  return wrong;
}

/** Which routers do not know the address. */
function wrongAddresses(network: ScaleNetwork): string[] {
  const lacking = network.running.filter((router) => network.engine(router)?.table.addresses.has(address) === false);
  // The router that offers it does not count itself.
  return lacking.length === 1 ? [] : [`${lacking.length} routers do not know the address`];
}

function pathRuns(network: ScaleNetwork): number {
  return network.running.reduce((sum, router) => sum + (network.engine(router)?.pathComputations ?? 0), 0);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
