import { isIpv4Prefix, octetsOf, type Prefix } from '../control/address.ts';
import { setRecord, type MapBuilder } from '../control/map-builder.ts';
import { maps } from '../layout/maps.ts';
import { policyDirection, policyPeer, policyPrefixLength, policyVerdict, prefixBitsBeforeAddress } from '../layout/policy.ts';
import { contains } from '../resources/address-types.ts';
import type { Labels, PolicyPort } from '../resources/resource-types.ts';
import type { Policy, Rule } from '../resources/tenant-network.ts';
import { portBits, portPrefixes } from './port-prefixes.ts';
import { revisionOf, textHash } from './text-hash.ts';

/*
 * What the policies of a VPC say of one identity, its subject:
 *
 *   policy_scopes    {vni, subject}                           ──► directions in which nothing else is allowed, revision
 *   policies         {vni, subject, peer, direction, ports}   ──► allow
 *   policy_prefixes  {vni, subject, direction, address/bits}  ──► class: the peer that stands for addresses whose longest prefix is this one
 *
 * A class means the ports that are allowed to its addresses, whatever the prefix, so it never comes to mean something else.
 */

/** Packets that a rule is about: the part of a policy's key behind the direction. */
interface Ports {
  readonly prefixLength: number;
  readonly protocol: number;
  readonly port: number;
}

/** Rules about addresses. */
interface PrefixGrant {
  readonly prefix: Prefix;
  readonly isIpv4: boolean;
  readonly except: readonly Prefix[];
  readonly ports: readonly Ports[];
}

const protocolNumbers: Readonly<Record<PolicyPort['protocol'], readonly number[]>> = { tcp: [6], udp: [17], sctp: [132], icmp: [1, 58] };
const anything: Ports = { prefixLength: policyPrefixLength.anyProtocol, protocol: 0, port: 0 };
/** All IPv4 addresses among those of 16 octets: rules about IPv6 are none about them. */
const allIpv4: Prefix = { address: '00000000000000000000ffff00000000', length: 96 };
/** Numbers for classes, without the lowest, which allows nothing, and those that mean something else. */
const classes = 0x7fffff00;

/**
 * Records for the subject, `policies` being those that select it; undefined when they restrict it in no direction. `peersOf`: identities of the
 * VPC that a selector selects.
 */
export function policyRecords(
  vni: number,
  subject: number,
  policies: readonly Policy[],
  peersOf: (selector: Labels) => readonly number[],
): { readonly records: MapBuilder; readonly revision: number } | undefined {
  const records: MapBuilder = new Map();
  let restricted = 0;
  for (const name of ['ingress', 'egress'] as const) {
    const rules = policies.flatMap((policy) => [policy[name] ?? []].flat());
    if (policies.every((policy) => policy[name] === undefined)) continue;
    restricted |= policyDirection[name];
    addDirection(records, { vni, subject, direction: policyDirection[name] }, rules, peersOf);
  }
  if (restricted === 0) return undefined;
  const revision = revisionOf(JSON.stringify([restricted, ...[...records].map(([map, entries]) => [map, [...entries]])]));
  setRecord(records, maps.policyScopes, { vni, subject }, { revision, restricted });
  return { records, revision };
}

/** The scope alone: nothing is allowed. */
export function closedRecords(vni: number, subject: number): { readonly records: MapBuilder; readonly revision: number } {
  const records: MapBuilder = new Map();
  const restricted = policyDirection.ingress | policyDirection.egress;
  setRecord(records, maps.policyScopes, { vni, subject }, { revision: 1, restricted });
  return { records, revision: 1 };
}

interface Subject {
  readonly vni: number;
  readonly subject: number;
  readonly direction: number;
}

function addDirection(
  records: MapBuilder,
  subject: Subject,
  rules: readonly Rule[],
  peersOf: (selector: Labels) => readonly number[],
): void {
  const grants = new Map<number, Ports[]>();
  const grant = (peer: number, ports: readonly Ports[]): void => {
    const known = grants.get(peer);
    if (known === undefined) grants.set(peer, [...ports]);
    else known.push(...ports);
  };
  const prefixes: PrefixGrant[] = [];
  for (const rule of rules) {
    const ports = rule.ports.length === 0 ? [anything] : rule.ports.flatMap(portsOf);
    if (rule.peers.length === 0) grant(policyPeer.everybody, ports);
    for (const peer of rule.peers) {
      if (peer.kind === 'selector') for (const identity of peersOf(peer.selector)) grant(identity, ports);
      else prefixes.push({ prefix: peer.prefix, isIpv4: peer.family === 'IPv4', except: peer.except, ports });
    }
  }
  addPrefixes(records, subject, prefixes, grant);
  for (const [peer, ports] of [...grants].sort(([one], [other]) => one - other)) {
    for (const allowed of leastOf(ports))
      setRecord(records, maps.policies, { ...subject, peer, ...allowed }, { verdict: policyVerdict.allow });
  }
}

/** Of addresses the longest prefix counts, so each prefix says all that the ones around it allow too. */
function addPrefixes(
  records: MapBuilder,
  { vni, subject, direction }: Subject,
  prefixes: readonly PrefixGrant[],
  grant: (peer: number, ports: readonly Ports[]) => void,
): void {
  const nodes = new Map<string, Prefix>();
  const add = (prefix: Prefix): void => void nodes.set(`${prefix.address}/${prefix.length}`, prefix);
  for (const { prefix, except } of prefixes) {
    for (const node of [prefix, ...except]) add(node);
    if (contains(prefix, allIpv4)) add(allIpv4);
  }
  const meanings = new Map<number, string>();
  for (const [, node] of [...nodes].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const isIpv4 = isIpv4Prefix(node);
    const ports = leastOf(
      prefixes
        .filter(
          ({ prefix, isIpv4: isOfIpv4, except }) =>
            isOfIpv4 === isIpv4 && contains(prefix, node) && !except.some((part) => contains(part, node)),
        )
        .flatMap((one) => one.ports),
    );
    const peer = classOf(ports, meanings);
    if (ports.length > 0) grant(peer, ports);
    const key = { prefixLength: prefixBitsBeforeAddress + node.length, vni, subject, direction, address: octetsOf(node.address) };
    setRecord(records, maps.policyPrefixes, key, { peer });
  }
}

function classOf(ports: readonly Ports[], meanings: Map<number, string>): number {
  if (ports.length === 0) return policyPeer.firstClass;
  const meaning = JSON.stringify(ports);
  for (let number = textHash(meaning) % classes; ; number = (number + 1) % classes) {
    const known = meanings.get(number);
    if (known !== undefined && known !== meaning) continue;
    meanings.set(number, meaning);
    return policyPeer.firstClass + 1 + number;
  }
}

function portsOf({ protocol, port, endPort }: PolicyPort): Ports[] {
  return protocolNumbers[protocol].flatMap((number) =>
    port === undefined
      ? [{ prefixLength: policyPrefixLength.protocol, protocol: number, port: 0 }]
      : portPrefixes(port, endPort ?? port).map((prefix) => ({
          prefixLength: policyPrefixLength.port - portBits + prefix.length,
          protocol: number,
          port: prefix.port,
        })),
  );
}

/** Without those that others hold, sorted: equal for equal meanings of most rules. */
function leastOf(ports: readonly Ports[]): readonly Ports[] {
  const sorted = [...ports].sort(
    (one, other) => one.prefixLength - other.prefixLength || one.protocol - other.protocol || one.port - other.port,
  );
  const least: Ports[] = [];
  for (const candidate of sorted) if (!least.some((wider) => holds(wider, candidate))) least.push(candidate);
  return least;
}

function holds(wider: Ports, narrower: Ports): boolean {
  if (wider.prefixLength > narrower.prefixLength) return false;
  if (wider.prefixLength === policyPrefixLength.anyProtocol) return true;
  if (wider.protocol !== narrower.protocol) return false;
  const free = policyPrefixLength.port - wider.prefixLength;
  return wider.port >> free === narrower.port >> free;
}
