/** What the tests of services have in common: each hook and family with its addresses, and what must come out. */
import assert from 'node:assert/strict';
import type { ServiceTables } from '../../src/overlay/model/service.ts';
import { decodeEthernet } from '../../src/overlay/packet/ethernet.ts';
import { decodeIcmp, icmpPortUnreachable, icmpType, icmpv6PortUnreachable, icmpv6Type } from '../../src/overlay/packet/icmp.ts';
import { decodeTcp } from '../../src/overlay/packet/tcp.ts';
import { gatewayMac, neighbour, open, pod, remote, tunnelFrame, type Outcome } from './program-world.ts';
import { see, seeQuoted, type Between, type Seen } from './service-packets.ts';
import { backendPort, front, servicePort, type ServiceWorld } from './service-world.ts';

const hooks = [
  { agent: 'agent_tc', transit: 'transit_tc', drop: 2, redirect: 7 },
  { agent: 'agent_xdp', transit: 'transit', drop: 1, redirect: 4 },
] as const;

export const clientPort = 40_000;

export const reversed = ({ source, sourcePort, destination, destinationPort }: Between): Between => ({
  source: destination,
  sourcePort: destinationPort,
  destination: source,
  destinationPort: sourcePort,
});

export const ends = ({ source, sourcePort, destination, destinationPort }: Between): Between => ({
  source,
  sourcePort,
  destination,
  destinationPort,
});

export const reasonsOf = (outcome: Outcome): string[] => outcome.counts.map((count) => count.split(' ')[0]!);

export const fromRemote = { sourceMac: remote.mac, destinationMac: pod.mac };

/** One hook and family. */
export class ServiceCase {
  readonly name: string;
  readonly agent: string;
  readonly transit: string;
  readonly dropped: number;
  readonly isIpv4: boolean;
  readonly client: Uint8Array;
  readonly vip: Uint8Array;
  /** A backend of another host, and one of this host. */
  readonly far: Uint8Array;
  readonly near: Uint8Array;
  readonly toService: Between;
  readonly toFar: Between;
  readonly #redirected: number;

  constructor(hook: (typeof hooks)[number], isIpv4: boolean) {
    const of = (both: { readonly ipv4: Uint8Array; readonly ipv6: Uint8Array }): Uint8Array => (isIpv4 ? both.ipv4 : both.ipv6);
    this.name = `${hook.agent}, ${isIpv4 ? 'IPv4' : 'IPv6'}`;
    this.agent = hook.agent;
    this.transit = hook.transit;
    this.dropped = hook.drop;
    this.#redirected = hook.redirect;
    this.isIpv4 = isIpv4;
    this.client = of(pod);
    this.vip = of(front);
    this.far = of(remote);
    this.near = of(neighbour);
    this.toService = { source: this.client, sourcePort: clientPort, destination: this.vip, destinationPort: servicePort };
    this.toFar = { ...this.toService, destination: this.far, destinationPort: backendPort };
  }

  /** What left for another host, as its receiver gets it. */
  sent(outcome: Outcome): Seen {
    assert.equal(outcome.verdict, this.#redirected, String(outcome.counts));
    const inner = see(open(outcome.frame).inner);
    assert.deepEqual(inner.wrong, []);
    return inner;
  }

  /** What came to a pod of this host. */
  delivered(outcome: Outcome): Seen {
    assert.equal(outcome.verdict, this.#redirected, String(outcome.counts));
    const seen = see(outcome.frame);
    assert.deepEqual(seen.wrong, []);
    return seen;
  }

  drops(outcome: Outcome, reason: string): void {
    assert.deepEqual([outcome.verdict, reasonsOf(outcome)], [this.dropped, [reason]]);
  }

  /** A frame of another host's endpoint, at transit. */
  arrive(services: ServiceWorld, frame: Uint8Array, tables: ServiceTables): Outcome {
    return services.run(this.transit, tunnelFrame(frame), tables);
  }

  /** The pod is told by ICMP that nobody is there. */
  isUnreachable(outcome: Outcome, what: Pick<Between, 'source' | 'destination'>): void {
    assert.deepEqual(reasonsOf(outcome), ['noBackend']);
    const { payload, source, destination, sourceMac, destinationMac } = this.delivered(outcome);
    const { type, code } = decodeIcmp(payload)!;
    const unreachable = this.isIpv4
      ? [icmpType.destinationUnreachable, icmpPortUnreachable]
      : [icmpv6Type.destinationUnreachable, icmpv6PortUnreachable];
    assert.deepEqual([type, code], unreachable);
    assert.deepEqual([source, destination, sourceMac, destinationMac], [what.destination, what.source, gatewayMac, pod.mac]);
    const quoted = seeQuoted(outcome.frame);
    assert.deepEqual([quoted.source, quoted.destination, quoted.wrong], [what.source, what.destination, []]);
  }

  /** The pod is told by RST. */
  isReset(outcome: Outcome, wanted: { readonly sequence: number; readonly acknowledgment: number; readonly flags: number }): void {
    assert.deepEqual(reasonsOf(outcome), ['noBackend']);
    const seen = this.delivered(outcome);
    assert.deepEqual(ends(seen), reversed(this.toService));
    const { sequence, acknowledgment, flags } = decodeTcp(seen.payload)!;
    assert.deepEqual({ sequence, acknowledgment, flags }, wanted);
    assert.deepEqual(decodeEthernet(outcome.frame)!.destination, pod.mac);
  }
}

export const serviceCases: readonly ServiceCase[] = hooks.flatMap((hook) => [new ServiceCase(hook, true), new ServiceCase(hook, false)]);
