/** What one packet costs each program, by BPF_PROG_TEST_RUN, with few and with many endpoints in the maps. */
import type { LinuxBpf } from '../../src/kernel/bpf/linux-bpf.ts';
import type { BpfObject, BpfProgram } from '../../src/overlay/kernel.ts';
import { maps } from '../../src/overlay/layout/maps.ts';
import { mappedIpv4 } from '../../src/overlay/packet/address.ts';
import { encodeEthernet, etherType } from '../../src/overlay/packet/ethernet.ts';
import { encodeGeneve, genevePort } from '../../src/overlay/packet/geneve.ts';
import { encodeWholeIpv4, ipProtocol } from '../../src/overlay/packet/ipv4.ts';
import { encodeUdp } from '../../src/overlay/packet/udp.ts';
import { formatNumber, formatTable } from '../report.ts';
import { percentile } from '../statistics.ts';
import { podMtu } from './sizes.ts';
import { objectFile } from './paths/caravan.ts';
import { addEndpoint, addHost, addPort, addSubnet, generation, setHost, vni } from './tables.ts';

/** Single runs of each program: a program changes its packet, so that a packet cannot be run twice. */
const runs = 20_000;
const endpointCounts = [1, 1000, 100_000] as const;
/** As many as the map of paths may hold without forgetting. */
const maximumPaths = 50_000;
/** Long enough for any run. */
const pathLifetimeNs = 600_000_000_000n;
/** Test runs come in by the loopback interface of whatever namespace the bench runs in. */
const loopback = 1;
const here = 1;
const there = 2;
const payloadBytes = 22;
const xdpTransmit = 3;
const redirected = { xdp: 4, tc: 7 } as const;

export interface PacketTime {
  readonly what: string;
  readonly endpoints: number;
  /** Of a run, in ns. */
  readonly p50: number;
  readonly p95: number;
}

const hostAddressOf = (id: number): Uint8Array => mappedIpv4(Uint8Array.of(192, 0, 2, id));
const hostMacOf = (id: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, 0, id);
/** 10.1.0.0 and following. */
const addressOf = (index: number): Uint8Array => mappedIpv4(Uint8Array.of(10, 1 + (index >>> 16), (index >>> 8) & 255, index & 255));
const macOf = (index: number): Uint8Array => Uint8Array.of(0x0a, 1, index >>> 24, (index >>> 16) & 255, (index >>> 8) & 255, index & 255);
const localAddress = mappedIpv4(Uint8Array.of(10, 0, 0, 1));
const localMac = Uint8Array.of(0x0a, 0, 0, 0, 0, 1);

function ipv4(source: Uint8Array, destination: Uint8Array, payload: Uint8Array, timeToLive: number): Uint8Array {
  return encodeWholeIpv4({
    timeToLive,
    protocol: ipProtocol.udp,
    source,
    destination,
    payload,
  });
}

function podFrame(from: readonly [Uint8Array, Uint8Array], to: readonly [Uint8Array, Uint8Array]): Uint8Array {
  const udp = encodeUdp({ sourcePort: 1000, destinationPort: 2000, checksum: 0, payload: new Uint8Array(payloadBytes) });
  return encodeEthernet({ destination: to[1], source: from[1], type: etherType.ipv4, payload: ipv4(from[0], to[0], udp, 64) });
}

function tunnelFrame(inner: Uint8Array): Uint8Array {
  const geneve = encodeGeneve({ control: false, protocol: etherType.transparentEthernet, vni, options: [], payload: inner });
  const udp = encodeUdp({ sourcePort: 50_000, destinationPort: genevePort, checksum: 0, payload: geneve });
  const payload = ipv4(hostAddressOf(there), hostAddressOf(here), udp, 4);
  return encodeEthernet({ destination: hostMacOf(here), source: hostMacOf(there), type: etherType.ipv4, payload });
}

function fill(object: BpfObject, endpoints: number): void {
  setHost(object, { id: here, address: hostAddressOf(here), mac: hostMacOf(here), uplink: loopback });
  for (const id of [here, there, 3]) addHost(object, { id, address: hostAddressOf(id), mac: hostMacOf(id) });
  addSubnet(object, () => ({ first: here, second: there }));
  addPort(object, loopback, { address: localAddress, mac: localMac, mtu: podMtu });
  addEndpoint(object, { address: localAddress, mac: localMac, hostId: here, ifindex: loopback });
  object.map(maps.devices.name).put(maps.devices.key.encode({ index: loopback }), maps.devices.value.encode({ index: loopback }));
  const expiresNs = process.hrtime.bigint() + pathLifetimeNs;
  const path = {
    hostId: 3,
    hostGeneration: generation,
    endpointGeneration: generation,
    told: 3,
    expiresNs,
    previousHostId: 0,
    identity: 0,
  };
  for (let index = 0; index < endpoints; index++) {
    const address = addressOf(index);
    addEndpoint(object, { address, mac: macOf(index), hostId: 3, ifindex: 0 });
    if (index < maximumPaths)
      object.map(maps.paths.name).put(maps.paths.key.encode({ vni, address }), maps.paths.value.encode({ ...path, mac: macOf(index) }));
  }
}

function timesOf(program: BpfProgram, packet: (run: number) => Uint8Array, verdict: number): Float64Array {
  const times = new Float64Array(runs);
  for (let run = 0; run < runs; run++) {
    const result = program.testRun(packet(run), { ifindex: loopback });
    if (result.verdict !== verdict) throw new Error(`${program.name} gave the verdict ${result.verdict}, not ${verdict}`);
    times[run] = result.durationNs;
  }
  return times.sort();
}

/** Throws when a program does something else with the packets. */
export function measurePacketTimes(bpf: LinuxBpf): PacketTime[] {
  const results: PacketTime[] = [];
  for (const endpoints of endpointCounts) {
    const object = bpf.open(objectFile);
    fill(object, endpoints);
    const local = [localAddress, localMac] as const;
    const any = (run: number, limit: number): readonly [Uint8Array, Uint8Array] => {
      // A step that is prime to the counts: each time another bucket of the map.
      const index = (run * 7919) % limit;
      return [addressOf(index), macOf(index)];
    };
    const paths = Math.min(endpoints, maximumPaths);
    const outwards = (run: number): Uint8Array => podFrame(local, any(run, paths));
    const inwards = tunnelFrame(podFrame(any(0, endpoints), local));
    const relayed = (run: number): Uint8Array => tunnelFrame(podFrame(local, any(run, endpoints)));
    const cases: readonly (readonly [string, string, (run: number) => Uint8Array, number])[] = [
      ['the call alone (`pass`)', 'pass', () => inwards, 2],
      ['`agent_tc`, to another host', 'agent_tc', outwards, redirected.tc],
      ['`agent_xdp`, to another host', 'agent_xdp', outwards, redirected.xdp],
      ['`transit`, to a pod', 'transit', () => inwards, redirected.xdp],
      ['`transit_tc`, to a pod', 'transit_tc', () => inwards, redirected.tc],
      ['`transit`, as owner to another host', 'transit', relayed, xdpTransmit],
      ['`transit_tc`, as owner to another host', 'transit_tc', relayed, redirected.tc],
    ];
    for (const [what, name, packet, verdict] of cases) {
      const times = timesOf(object.program(name), packet, verdict);
      results.push({ what, endpoints, p50: percentile(times, 50), p95: percentile(times, 95) });
    }
    object.close();
  }
  return results;
}

/** One row for each program. Markdown. */
export function formatPacketTimes(times: readonly PacketTime[]): string {
  const rows = [['', ...endpointCounts.flatMap((count) => [`${formatNumber(count, 0)} endpoints, p50 ns`, 'p95 ns'])]];
  for (const what of new Set(times.map((time) => time.what)))
    rows.push([
      what,
      ...times.filter((time) => time.what === what).flatMap(({ p50, p95 }) => [formatNumber(p50, 0), formatNumber(p95, 0)]),
    ]);
  return `### Single runs of the programs, by BPF_PROG_TEST_RUN, ${runs.toLocaleString('en')} each (\`packet\`)\n\n${formatTable(rows)}`;
}
