import { WeatherError } from '../../base/errors.ts';
import { hexOf, octetsOf } from '../../overlay/control/address.ts';
import { reason as reasons, sumCounters } from '../../overlay/layout/counter.ts';
import { endpointKind, type Endpoint } from '../../overlay/layout/endpoint.ts';
import { maps } from '../../overlay/layout/maps.ts';
import type { Path } from '../../overlay/layout/path.ts';
import type { Port } from '../../overlay/layout/port.ts';
import type { Subnet } from '../../overlay/layout/subnet.ts';
import { isIpv4 } from '../../overlay/packet/address.ts';
import { risenCounters, type Count } from '../../overlay/trace/risen.ts';
import { innerFrame, outerHeaders } from '../../overlay/trace/trace-frame.ts';
import type { Found, LearntPath, ProgramRun, TraceAnswer, TraceAsk, TraceVerdict } from '../../overlay/trace/trace-record.ts';
import type { DataPath } from './data-path.ts';
import type { AgentMode } from './pod-agents.ts';
import type { TransitMode } from './uplink-transit.ts';

export interface TraceRunnerOptions {
  readonly hostId: number;
  readonly uplinkIfindex: number;
  readonly agent: AgentMode;
  readonly transit: TransitMode;
  readonly dataPath: DataPath;
}

const programs = { transit: { xdp: 'transit', tc: 'transit_tc' }, agent: { xdp: 'agent_xdp', tc: 'agent_tc', tcx: 'agent_tc' } } as const;
/** Bits of a VNI and of an address. */
const wholePrefix = 160;
const xdpVerdicts: readonly TraceVerdict[] = ['drop', 'drop', 'pass', 'transmit', 'redirect'];
/** The last one is -1: as if there were no program. */
const tcVerdicts: Readonly<Record<number, TraceVerdict>> = { 0: 'pass', 2: 'drop', 7: 'redirect', 0xffffffff: 'pass' };

/** Runs this host's programs for traces, in the kernel, with its maps as they are. */
export class TraceRunner {
  readonly #options: TraceRunnerOptions;

  constructor(options: TraceRunnerOptions) {
    this.#options = options;
  }

  /** What cannot be done is refused, in words. */
  do(ask: TraceAsk): TraceAnswer {
    try {
      if (ask.ask === 'find') return { found: this.#find(ask.vni, octetsOf(ask.address), octetsOf(ask.towards)) };
      const { agent, transit, uplinkIfindex } = this.#options;
      if (ask.ask === 'transit') return { run: this.#run(programs.transit[transit], ask.vni, octetsOf(ask.frame), uplinkIfindex) };
      const endpoint = this.#endpoint(ask.vni, octetsOf(ask.address));
      if (endpoint?.kind !== endpointKind.local) return { refused: 'the source is not at this host any more' };
      return { run: this.#run(programs.agent[agent], ask.vni, octetsOf(ask.frame), endpoint.ifindex) };
    } catch (error) {
      if (error instanceof WeatherError) return { refused: error.message.slice(0, 200) };
      throw error;
    }
  }

  #find(vni: number, address: Uint8Array, towards: Uint8Array): Found {
    const endpoint = this.#endpoint(vni, address);
    if (endpoint === undefined) return { hostId: 0, ports: [] };
    if (endpoint.kind !== endpointKind.local) return { hostId: endpoint.hostId, ports: [] };
    const { hostId } = this.#options;
    const port = this.#port(endpoint.ifindex);
    if (port === undefined) return { hostId, ports: [] };
    const own = this.#subnet(vni, address);
    const other = this.#subnet(vni, towards);
    const gateway = isIpv4(address) ? own?.gatewayIpv4 : own?.gatewayIpv6;
    return {
      hostId,
      ports: [
        {
          mac: hexOf(port.mac),
          gatewayMac: hexOf(port.gatewayMac),
          gateway: hexOf(gateway ?? new Uint8Array(address.length)),
          isOnLink: own !== undefined && other !== undefined && own.subnetId === other.subnetId && own.vni === other.vni,
        },
      ],
    };
  }

  #run(program: string, vni: number, frame: Uint8Array, ifindex: number): ProgramRun {
    const inner = innerFrame(outerHeaders(frame)?.inner ?? frame);
    const ends = inner === undefined ? [] : [inner.source, inner.destination];
    const vnis = new Set([0, vni, ...ends.map((end) => this.#subnet(vni, end)?.vni ?? vni)]);
    const before = this.#counts(vnis);
    const pathsBefore = ends.map((end) => this.#path(vni, end));
    const { verdict, packet, durationNs } = this.#options.dataPath.testRun(program, frame, ifindex);
    const { counted, isShared } = risenCounters(before, this.#counts(vnis), frame.length);
    const learnt = ends.flatMap((address, at): LearntPath[] => {
      const known = pathsBefore[at];
      const path = this.#path(vni, address);
      const isSame = known?.hostId === path?.hostId && known?.endpointGeneration === path?.endpointGeneration;
      return path === undefined || isSame ? [] : [{ address: hexOf(address), hostId: path.hostId, generation: path.endpointGeneration }];
    });
    return {
      program,
      verdict: (program.endsWith('_tc') ? tcVerdicts[verdict] : xdpVerdicts[verdict]) ?? 'unknown',
      counted: [...new Set(counted.map((name) => name.slice(name.indexOf(' ') + 1)))],
      isShared,
      learnt,
      frame: hexOf(packet),
      durationNs,
    };
  }

  /** By VNI and name, with a blank between. */
  #counts(vnis: ReadonlySet<number>): ReadonlyMap<string, Count> {
    const { key: codec, name: map } = maps.counters;
    const counts = new Map<string, Count>();
    for (const vni of vnis) {
      for (const [name, reason] of Object.entries(reasons)) {
        const record = this.#options.dataPath.record(map, codec.encode({ vni, reason }));
        if (record !== undefined) counts.set(`${vni} ${name}`, sumCounters(record));
      }
    }
    return counts;
  }

  #endpoint(vni: number, address: Uint8Array): Endpoint | undefined {
    const { name, key, value } = maps.endpoints;
    const record = this.#options.dataPath.record(name, key.encode({ vni, address }));
    return record === undefined ? undefined : value.decode(record);
  }

  #path(vni: number, address: Uint8Array): Path | undefined {
    const { name, key, value } = maps.paths;
    const record = this.#options.dataPath.record(name, key.encode({ vni, address }));
    return record === undefined ? undefined : value.decode(record);
  }

  #port(index: number): Port | undefined {
    const { name, key, value } = maps.ports;
    const record = this.#options.dataPath.record(name, key.encode({ index }));
    return record === undefined ? undefined : value.decode(record);
  }

  #subnet(vni: number, address: Uint8Array): Subnet | undefined {
    const { name, key, value } = maps.subnets;
    const record = this.#options.dataPath.record(name, key.encode({ prefixLength: wholePrefix, vni, address }));
    return record === undefined ? undefined : value.decode(record);
  }
}
