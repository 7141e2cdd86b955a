import { assert } from '../../base/errors.ts';
import { hexOf, octetsOf } from '../control/address.ts';
import { formatAddress } from '../packet/address.ts';
import { innerFrame, outerHeaders } from './trace-frame.ts';
import { neighborQuestion, packetFrame, type TracePacket } from './trace-packet.ts';
import { handedOn, refusals } from './trace-reasons.ts';
import type { Found, FoundPort, ProgramRun, TraceAnswer, TraceAsk } from './trace-record.ts';
import type { TraceOutcome, TraceReport, TraceStep } from './trace-report.ts';

/** What the walk knows of the overlay. */
export interface TraceMap {
  /** The host that walks. */
  readonly selfId: number;
  nameOf(hostId: number): string;
  /** The host with an address on the underlay; undefined when there is none. */
  hostAt(address: Uint8Array): number | undefined;
  ownersOf(vni: number, address: Uint8Array): readonly number[];
}

/** Asks a host; its answer is handed in, or undefined when it does not answer. */
export interface TraceQuestion {
  readonly to: number;
  readonly ask: TraceAsk;
}

type Steps<T> = Generator<TraceQuestion, T, TraceAnswer | undefined>;

interface End {
  readonly outcome: TraceOutcome;
  readonly hostId: number;
  readonly reason?: string;
  readonly meaning: string;
  readonly remedy?: string;
  /** As it left the last program; undefined when none ran. */
  readonly frame?: Uint8Array;
}

/** Outer packets begin with a TTL of 4, so that none passes more hosts; the others are room for what should not be. */
export const mostSteps = 8;

/**
 * Walks a packet: from the pod that has the source through the programs of the hosts, first the question for the MAC of its next hop, as
 * a pod asks it that knows nobody. Each question is to be answered by the host that it names.
 */
export function* walk(vni: number, packet: TracePacket, map: TraceMap): Steps<TraceReport> {
  const steps: TraceStep[] = [];
  const report = ({ outcome, hostId, reason, meaning, remedy }: End): TraceReport => ({
    vni,
    source: formatAddress(packet.source),
    destination: formatAddress(packet.destination),
    protocol: packet.protocol,
    port: packet.protocol === 'icmp' ? null : packet.port,
    outcome,
    host: map.nameOf(hostId),
    reason: reason ?? null,
    meaning,
    remedy: remedy ?? null,
    steps,
  });
  const at = yield* findSource(vni, packet, map);
  if (!('port' in at)) return report(at);
  const { hostId, port } = at;
  const address = hexOf(packet.source);
  const mac = octetsOf(port.mac);
  const nextHop = port.isOnLink ? packet.destination : octetsOf(port.gateway);
  const question = hexOf(neighborQuestion(nextHop, packet.source, mac));
  const answered = yield* follow(map, steps, 'question', { to: hostId, ask: { ask: 'agent', vni, address, frame: question } });
  const nextHopMac = answered.frame === undefined ? undefined : innerFrame(answered.frame)?.answeredMac;
  if (answered.outcome !== 'delivered' || nextHopMac === undefined) {
    const meaning = `the pod asked for the MAC of ${formatAddress(nextHop)} and got no answer: ${answered.meaning}`;
    return report({ ...answered, outcome: answered.outcome === 'delivered' ? 'unknown' : answered.outcome, meaning });
  }
  const frame = hexOf(packetFrame(packet, mac, nextHopMac));
  return report(yield* follow(map, steps, 'packet', { to: hostId, ask: { ask: 'agent', vni, address, frame } }));
}

/** Where the source is: here, where this host thinks, or where an owner of it says. */
function* findSource(vni: number, { source, destination }: TracePacket, map: TraceMap): Steps<End | { hostId: number; port: FoundPort }> {
  const ask: TraceAsk = { ask: 'find', vni, address: hexOf(source), towards: hexOf(destination) };
  const asked = new Set<number>();
  const candidates = [map.selfId, ...map.ownersOf(vni, source)];
  for (let hostId = candidates.shift(); hostId !== undefined; hostId = candidates.shift()) {
    if (hostId === 0 || asked.has(hostId)) continue;
    asked.add(hostId);
    const answer: TraceAnswer | undefined = yield { to: hostId, ask };
    const found: Found | undefined = answer !== undefined && 'found' in answer ? answer.found : undefined;
    const port = found?.ports[0];
    if (port !== undefined) return { hostId, port };
    if (found !== undefined && found.hostId !== 0) candidates.unshift(found.hostId);
  }
  return {
    outcome: 'unknown',
    hostId: map.selfId,
    meaning: `no host has ${formatAddress(source)} in VNI ${vni}`,
    remedy: 'See which addresses there are: van overlay status at each host.',
  };
}

/** Runs one program after the other until a frame ends. */
function* follow(map: TraceMap, steps: TraceStep[], of: TraceStep['of'], first: TraceQuestion): Steps<End> {
  let next = first;
  for (let count = 0; count < mostSteps; count++) {
    const { to, ask } = next;
    assert(ask.ask !== 'find', 'a program is run');
    const answer = yield next;
    if (answer === undefined || !('run' in answer)) return notRun(map, to, answer);
    const { run } = answer;
    const step = describe(map, of, to, ask.frame, run);
    steps.push(step);
    const frame = octetsOf(run.frame);
    const reason =
      run.counted.find((name) => Object.hasOwn(refusals, name) && name !== 'untrusted') ?? run.counted.find((name) => name === 'untrusted');
    if (run.verdict === 'drop' || run.verdict === 'unknown') return stopped('dropped', to, reason);
    if (run.verdict === 'pass')
      return { outcome: 'passed', hostId: to, meaning: 'it is none of the overlay’s business: the host’s own network gets it', frame };
    const outer = outerHeaders(frame);
    if (outer === undefined) {
      if (reason !== undefined && reason !== 'untrusted') return { ...stopped('refused', to, reason), frame };
      const how = run.counted.find((name) => Object.hasOwn(handedOn, name));
      return { outcome: 'delivered', hostId: to, meaning: how === undefined ? 'handed to a link of this host' : handedOn[how]!, frame };
    }
    const hostId = map.hostAt(outer.destination);
    if (hostId === undefined) {
      const meaning = `it was sent to ${formatAddress(outer.destination)}, which is no host of the overlay`;
      return { outcome: 'unknown', hostId: to, meaning };
    }
    next = { to: hostId, ask: { ask: 'transit', vni: outer.vni, frame: run.frame } };
  }
  return { outcome: 'unknown', hostId: next.to, meaning: `it has passed ${mostSteps} programs and goes on: the trace ends here` };
}

function stopped(outcome: TraceOutcome, hostId: number, reason: string | undefined): End {
  if (reason === undefined) return { outcome, hostId, meaning: 'no counter says why' };
  const known = refusals[reason];
  return {
    outcome,
    hostId,
    reason,
    meaning: known?.meaning ?? reason,
    ...(known?.remedy === undefined ? {} : { remedy: known.remedy }),
  };
}

function notRun(map: TraceMap, hostId: number, answer: TraceAnswer | undefined): End {
  if (answer !== undefined && 'refused' in answer)
    return { outcome: 'unknown', hostId, meaning: `this host did not run it: ${answer.refused}` };
  return {
    outcome: 'unknown',
    hostId,
    meaning: `it goes to ${map.nameOf(hostId)}, whose daemon does not answer: what that host does with it is not seen`,
    remedy: 'Start the daemon there, or see why it is not connected: van overlay status.',
  };
}

function describe(map: TraceMap, of: TraceStep['of'], hostId: number, came: string, run: ProgramRun): TraceStep {
  const before = octetsOf(came);
  const after = octetsOf(run.frame);
  const outer = run.verdict === 'drop' ? undefined : outerHeaders(after);
  const frame = innerFrame(outerHeaders(before)?.inner ?? before)?.words ?? 'not readable';
  const left = run.verdict === 'drop' ? undefined : innerFrame(outer?.inner ?? after)?.words;
  return {
    of,
    host: map.nameOf(hostId),
    hostId,
    program: run.program,
    verdict: run.verdict,
    counted: run.counted,
    isShared: run.isShared,
    frame,
    sent:
      outer === undefined
        ? null
        : {
            source: formatAddress(outer.source),
            destination: formatAddress(outer.destination),
            toHost: map.nameOf(map.hostAt(outer.destination) ?? 0),
            timeToLive: outer.timeToLive,
            sourcePort: outer.sourcePort,
            options: outer.options,
          },
    became: left === undefined || left === frame ? null : left,
    learnt: run.learnt.map(
      ({ address, hostId: at, generation }) => `${formatAddress(octetsOf(address))} is at ${map.nameOf(at)}, generation ${generation}`,
    ),
    durationNs: run.durationNs,
  };
}
