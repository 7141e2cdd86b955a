/**
 * The programs of the data path beside their model: the same random tables and packets, right and malformed, must give the same verdict,
 * the same octets, the same paths, counts and events.
 *
 * `CARAVAN_SEED` runs another seed, `CARAVAN_PACKETS` another number of packets for each program.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { BpfObject, TestRun } from '../../src/overlay/kernel.ts';
import type { Path } from '../../src/overlay/layout/path.ts';
import type { FlowState } from '../../src/overlay/layout/policy.ts';
import type { Translation } from '../../src/overlay/layout/translation.ts';
import { agent } from '../../src/overlay/model/agent.ts';
import type { Outcome } from '../../src/overlay/model/run.ts';
import type { Tables } from '../../src/overlay/model/tables.ts';
import { transit } from '../../src/overlay/model/transit.ts';
import { decodeEthernet, ethernetHeaderBytes, etherType } from '../../src/overlay/packet/ethernet.ts';
import { ipv4HeaderBytes } from '../../src/overlay/packet/ipv4.ts';
import { ipv6HeaderBytes } from '../../src/overlay/packet/ipv6.ts';
import { SeededRandom } from '../../src/sim/seeded-random.ts';
import { skipWithoutKernel, TestKernel } from '../../src/kernel/bpf/test-kernel.ts';
import { projectFolder } from '../source-files.ts';
import { KernelTables } from './kernel-tables.ts';
import { randomPodFrame, randomUnderlayFrame } from './random-packet.ts';
import { knownFlows, withRandomPolicies } from './random-policies.ts';
import { knownTranslations, withRandomServices } from './random-services.ts';
import { podIfindex, randomTables, vnis } from './random-tables.ts';

const skip = skipWithoutKernel();
const seed = Number(process.env['CARAVAN_SEED'] ?? Date.now() % 0x100000000);
const packets = Number(process.env['CARAVAN_PACKETS'] ?? 700);
/** Replacing owner tables takes the kernel milliseconds, so each set of tables serves as many packets. */
const packetsPerTables = 35;

const xdp: Readonly<Record<number, string>> = { 1: 'drop', 2: 'pass', 3: 'transmit', 4: 'redirect' };
const tc: Readonly<Record<number, string>> = { 2: 'drop', 7: 'redirect' };
/** A filter at the uplink leaves to others what is not its own, and sends back by a redirect. */
const tcUplink: Readonly<Record<number, string>> = { 2: 'drop', 7: 'redirect', 0xffffffff: 'pass' };

interface Subject {
  readonly program: string;
  /** The kernel runs the program on no shorter frame. */
  readonly shortestBytes: (frame: Uint8Array) => number;
  readonly verdicts: Readonly<Record<number, string>>;
  readonly packet: (random: SeededRandom, tables: Tables) => Uint8Array;
  readonly model: (tables: Tables, frame: Uint8Array, nowNs: bigint) => Outcome;
}

const shortestXdpBytes = (): number => ethernetHeaderBytes;

/** With tc an IP header must be whole. */
function shortestTcBytes(frame: Uint8Array): number {
  const type = decodeEthernet(frame)?.type;
  if (type === etherType.ipv4) return ethernetHeaderBytes + ipv4HeaderBytes;
  return type === etherType.ipv6 ? ethernetHeaderBytes + ipv6HeaderBytes : ethernetHeaderBytes;
}

const subjects: readonly Subject[] = [
  {
    program: 'agent_tc',
    shortestBytes: shortestTcBytes,
    verdicts: tc,
    packet: randomPodFrame,
    model: (tables, frame, nowNs) => agent(tables, { ifindex: podIfindex, frame, hook: 'tc' }, nowNs),
  },
  {
    program: 'agent_xdp',
    shortestBytes: shortestXdpBytes,
    verdicts: xdp,
    packet: randomPodFrame,
    model: (tables, frame, nowNs) => agent(tables, { ifindex: podIfindex, frame, hook: 'xdp' }, nowNs),
  },
  { program: 'transit', shortestBytes: shortestXdpBytes, verdicts: xdp, packet: randomUnderlayFrame, model: transit },
  {
    program: 'transit_tc',
    shortestBytes: shortestTcBytes,
    verdicts: tcUplink,
    packet: randomUnderlayFrame,
    model: (tables, frame, nowNs) => {
      const { verdict, ...rest } = transit(tables, frame, nowNs, 'tc');
      return { ...rest, verdict: verdict.kind === 'transmit' ? { kind: 'redirect', ifindex: tables.settings.uplinkIfindex } : verdict };
    },
  },
];

let machine: { kernel: TestKernel; object: BpfObject; devices: readonly number[] } | undefined;

/** The compiled data path and interfaces to redirect to, made once. */
function prepared(): { kernel: TestKernel; object: BpfObject; devices: readonly number[] } {
  if (machine !== undefined) return machine;
  const kernel = new TestKernel();
  try {
    execFileSync('sh', [join(projectFolder, 'bpf/build.sh'), kernel.folder], { stdio: 'pipe' });
    const object = kernel.bpf.open(join(kernel.folder, 'overlay.o'));
    const devices = [...[kernel.vethPair(), kernel.vethPair()].flatMap(({ near, far }) => [near, far]), podIfindex];
    machine = { kernel, object, devices };
    return machine;
  } catch (error) {
    kernel[Symbol.dispose]();
    throw error;
  }
}

after(() => machine?.kernel[Symbol.dispose]());

for (const subject of subjects) {
  test(`${subject.program} does what the model says`, { skip }, (context) => {
    context.diagnostic(`seed ${seed}`);
    const { kernel, object, devices } = prepared();
    const program = object.program(subject.program);
    const kernelTables = new KernelTables(kernel.bpf, object);
    const random = new SeededRandom(seed).split(subject.program);
    const reasons = new Map<string, number>();
    let tables: Tables | undefined;
    for (let at = 0; at < packets; at++) {
      if (tables === undefined || at % packetsPerTables === 0) {
        tables = withRandomPolicies(random, randomTables(random, devices, process.hrtime.bigint()), vnis);
        tables = withRandomServices(random, tables, vnis);
        kernelTables.write(tables);
        kernelTables.takeCounts();
        kernelTables.takeEvents();
      }
      const frame = subject.packet(random, tables);
      if (frame.length < subject.shortestBytes(frame)) continue;
      const nowNs = process.hrtime.bigint();
      tables = withFlows(
        tables,
        knownFlows(random, tables, nowNs, (given) => subject.model(given, frame, nowNs)),
        kernelTables,
      );
      tables = withTranslations(
        tables,
        knownTranslations(random, tables, nowNs, (given) => subject.model(given, frame, nowNs)),
        kernelTables,
      );
      const expected = subject.model(tables, frame, nowNs);
      // Only a redirect to the interface that the model names can succeed, for the kernel does not tell which one it was.
      const { verdict } = expected;
      kernelTables.writeDevices(verdict.kind === 'redirect' && devices.includes(verdict.ifindex) ? [verdict.ifindex] : []);
      const run = program.testRun(frame);
      const paths = kernelTables.readPaths();
      const where = { program: subject.program, seed, at, frame };
      const flows = kernelTables.policies.readFlows();
      const translations = kernelTables.services.readTranslations();
      compare(where, expected, actualOf(subject, run, kernelTables), { tables, paths, flows, translations, nowNs });
      for (const { reason } of expected.counts) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      tables = { ...tables, paths, fragments: kernelTables.services.readFragments() };
      if (tables.services !== undefined) tables = { ...tables, services: { ...tables.services, translations } };
      if (tables.policy !== undefined) tables = { ...tables, policy: { ...tables.policy, flows } };
    }
    context.diagnostic([...reasons].map(([reason, count]) => `${reason} ${count}`).join(', '));
  });
}

function withTranslations(tables: Tables, known: ReadonlyMap<string, Translation>, kernelTables: KernelTables): Tables {
  if (tables.services === undefined || known.size === 0) return tables;
  kernelTables.services.putTranslations(known);
  return { ...tables, services: { ...tables.services, translations: new Map([...tables.services.translations, ...known]) } };
}

function withFlows(tables: Tables, known: ReadonlyMap<string, FlowState>, kernelTables: KernelTables): Tables {
  if (tables.policy === undefined || known.size === 0) return tables;
  kernelTables.policies.putFlows(known);
  return { ...tables, policy: { ...tables.policy, flows: new Map([...tables.policy.flows, ...known]) } };
}

interface Actual {
  readonly verdict: string;
  readonly frame: Uint8Array;
  readonly counts: readonly string[];
  readonly events: readonly string[];
}

function actualOf(subject: Subject, run: TestRun, kernelTables: KernelTables): Actual {
  return {
    verdict: subject.verdicts[run.verdict] ?? String(run.verdict),
    frame: run.packet,
    counts: kernelTables.takeCounts(),
    events: kernelTables.takeEvents().map((event) => JSON.stringify(event)),
  };
}

function compare(
  where: { program: string; seed: number; at: number; frame: Uint8Array },
  expected: Outcome,
  actual: Actual,
  after: {
    tables: Tables;
    paths: ReadonlyMap<string, Path>;
    flows: ReadonlyMap<string, FlowState>;
    translations: ReadonlyMap<string, Translation>;
    nowNs: bigint;
  },
): void {
  const verdict = expected.verdict.kind;
  const bytes = where.frame.length;
  const wanted = {
    verdict,
    frame: verdict === 'drop' ? '' : hex(expected.frame),
    counts: expected.counts.map(({ vni, reason }) => `${vni} ${reason} 1 ${bytes}`).sort(),
    events: expected.events.map((event) => JSON.stringify(event)),
    paths: pathTexts(new Map([...after.tables.paths, ...expected.paths]), after.nowNs),
    flows: flowTexts(new Map([...(after.tables.policy?.flows ?? []), ...expected.flows]), after.nowNs),
    translations: translationTexts(new Map([...(after.tables.services?.translations ?? []), ...expected.translations]), after.nowNs),
  };
  const got = {
    verdict: actual.verdict,
    frame: actual.verdict === 'drop' ? '' : hex(actual.frame),
    counts: actual.counts,
    events: actual.events,
    paths: pathTexts(after.paths, after.nowNs),
    flows: flowTexts(after.flows, after.nowNs),
    translations: translationTexts(after.translations, after.nowNs),
  };
  const about = `${where.program}, seed ${where.seed}, packet ${where.at}: ${hex(where.frame)}`;
  assert.deepEqual(got, wanted, about);
}

const freshNs = 30_000_000_000n;
const slackNs = 10_000_000_000n;

/** One line a path. A path that was learnt just now expires some moments later in the kernel than in the model: both are `fresh`. */
function pathTexts(paths: ReadonlyMap<string, Path>, nowNs: bigint): string[] {
  return [...paths]
    .map(([name, { expiresNs, mac, ...rest }]) => {
      const left = expiresNs - nowNs;
      const expires = left >= freshNs - slackNs && left <= freshNs + slackNs ? 'fresh' : String(expiresNs);
      return `${name} ${JSON.stringify(rest)} ${hex(mac)} ${expires}`;
    })
    .sort();
}

/** One line a flow. One that was used just now was so some moments later in the kernel than in the model: both are `fresh`. */
function flowTexts(flows: ReadonlyMap<string, FlowState>, nowNs: bigint): string[] {
  return [...flows]
    .map(([name, { usedNs, ...rest }]) => `${name} ${JSON.stringify(rest)} ${nowNs - usedNs < slackNs ? 'fresh' : String(usedNs)}`)
    .sort();
}

/** One line a translation, as for flows; undefined: it was taken out. */
function translationTexts(translations: ReadonlyMap<string, Translation | undefined>, nowNs: bigint): string[] {
  const lines: string[] = [];
  for (const [name, translation] of translations) {
    if (translation === undefined) continue;
    const { usedNs, address, ...rest } = translation;
    lines.push(`${name} ${hex(address)} ${JSON.stringify(rest)} ${nowNs - usedNs < slackNs ? 'fresh' : String(usedNs)}`);
  }
  return lines.sort();
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex');
}
