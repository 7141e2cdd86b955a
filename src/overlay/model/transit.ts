/**
 * Transit: what comes from the underlay.
 *
 * ```text
 *   uplink ──packet──> transit ──> the kernel     not of the overlay
 *                        ├───────> drop, and why
 *                        ├───────> pod            delivered
 *                        └───────> uplink         answered, relayed (we own the address), sent back (it is not here any more),
 *                                                 or sent again (one of ours came back)
 * ```
 */
import type { Reason } from '../layout/counter.ts';
import { endpointFlag, endpointKind, identityOfGateway, type Endpoint, type EndpointKey } from '../layout/endpoint.ts';
import type { Path } from '../layout/path.ts';
import { subnetFlag, subnetKind, type Subnet } from '../layout/subnet.ts';
import { formatAddress } from '../packet/address.ts';
import { arpOperation } from '../packet/arp.ts';
import { decodeEthernet, ethernetHeaderBytes, etherType, type EthernetFrame } from '../packet/ethernet.ts';
import type { GeneveOption } from '../packet/geneve.ts';
import { joinOctets } from '../packet/octets.ts';
import { encodeLocation, encodeMoved, locationFlag, type Location, type Moved } from '../packet/overlay-option.ts';
import { ipv6HeaderBytes } from '../packet/ipv6.ts';
import { readFlow } from './flow.ts';
import { ipOf } from './ip.ts';
import { installPath, isPlausible, learnSource } from './learn.ts';
import {
  arpOf,
  arpQuestion,
  canonicalNeighbor,
  discoveryOf,
  isShortIcmpv6,
  solicitationQuestion,
  type NeighborQuestion,
} from './neighbor.ts';
import { isProbe, isReflectable, outerOf, reflected, tunnelOf, type Arrived } from './outer.ts';
import { findOwner } from './owner.ts';
import { policyArrives, policyDeparts } from './policy.ts';
import { Run, type Outcome } from './run.ts';
import { gatewaysOf, meaningOf } from './routes.ts';
import { serviceArrives } from './service.ts';
import { aliveHost, endpointOf, isOwner, isValid, knownHost, localEndpoint, ownersOf, subnetOf, type Tables } from './tables.ts';
import { addressesTo, encapsulate, firstOuterTtl, readdressed, withMacs, type OuterAddresses } from './tunnel.ts';

/** What transit makes of a packet from the underlay; `nowNs` on the kernel's monotonic clock. With tc any link can be sent to. */
export function transit(tables: Tables, frame: Uint8Array, nowNs: bigint, hook: 'tc' | 'xdp' = 'xdp'): Outcome {
  const run = new Run(tables, frame, nowNs, hook === 'xdp');
  const outer = outerOf(frame, tables.settings.address);
  if (outer === undefined) return run.pass();
  const sourceHostId = tables.hostIds.get(formatAddress(outer.source));
  if (sourceHostId === undefined) return run.drop('unknownSource');
  if (isProbe(outer)) return isReflectable(outer) ? run.transmit(reflected(frame), 'answered') : run.drop('malformed');
  const arrived = tunnelOf(outer, sourceHostId);
  if (typeof arrived === 'string') return run.drop(arrived);
  run.vni = arrived.vni;
  return new Transit(run, arrived).run();
}

/** What the source of a packet is to the VPC of its destination. */
type Source =
  | { readonly kind: 'endpoint' | 'nobody'; readonly key: EndpointKey }
  | { readonly kind: 'outside'; readonly key: EndpointKey; readonly egress: Subnet };

/** Who sends a packet, as LOC names it. */
type Sender = Pick<Endpoint, 'generation' | 'identity' | 'mac'>;

/** Undefined: this host has no gateway through which it could have come. */
function behindGateway(source: Source): Sender | undefined {
  if (source.kind !== 'outside' || source.egress.ifindex === 0) return undefined;
  return { generation: 0, identity: identityOfGateway, mac: source.egress.gatewayMac };
}

class Transit {
  readonly #run: Run;
  readonly #arrived: Arrived;
  readonly #location: Location | undefined;
  readonly #moved: Moved | undefined;

  constructor(run: Run, arrived: Arrived) {
    this.#run = run;
    this.#arrived = arrived;
    this.#location = arrived.location;
    this.#moved = arrived.moved;
  }

  run(): Outcome {
    const run = this.#run;
    const inner = decodeEthernet(this.#arrived.inner);
    if (inner === undefined) return run.drop('malformed');
    if (inner.type === etherType.arp) return this.#arp(inner);
    if (inner.type !== etherType.ipv4 && inner.type !== etherType.ipv6) return run.drop('etherType');
    const ip = ipOf(inner);
    if (ip === undefined || (ip.family === 6 && isShortIcmpv6(ip.packet))) return run.drop('malformed');
    if (ip.family === 6 && discoveryOf(ip.packet) !== undefined) {
      const neighbor = canonicalNeighbor(ip.packet);
      if (neighbor === undefined) return run.drop('arp');
      if (neighbor.kind === 'advertisement') return this.#deliverAnswer(neighbor.target, ip.destination);
      const asker = { mac: neighbor.linkLayerAddress ?? inner.source, address: ip.source };
      const padding = inner.payload.subarray(ipv6HeaderBytes + ip.packet.payload.length);
      return this.#answer(solicitationQuestion(asker, neighbor.target, padding));
    }
    const destination = run.key(ip.destination);
    const source = this.#sourceOf(run.key(ip.source), destination);
    const cameBack = this.#moved !== undefined || (this.#location !== undefined && (this.#location.flags & locationFlag.destination) !== 0);
    return cameBack ? this.#sendAgain(source, destination) : this.#data(source, destination);
  }

  #arp(inner: EthernetFrame): Outcome {
    const run = this.#run;
    const arp = arpOf(inner);
    if (arp === 'short') return run.drop('malformed');
    if (arp?.operation === arpOperation.request) return this.#answer(arpQuestion(this.#arrived.inner, arp));
    if (arp?.operation === arpOperation.reply) return this.#deliverAnswer(arp.senderAddress, arp.targetAddress);
    return run.drop('arp');
  }

  /** Turns a question into its answer: we own the address. */
  #answer(question: NeighborQuestion): Outcome {
    const run = this.#run;
    const { tables } = run;
    const entry = endpointOf(tables, run.key(question.target));
    if (entry === undefined || entry.kind === endpointKind.tombstone) return run.drop('noEndpoint');
    const host = aliveHost(tables, entry.hostId);
    if (host === undefined) return run.drop('noEndpoint');
    const options = [this.#locationOf(entry, host.generation, 0)];
    const { addresses } = this.#arrived;
    const swapped: OuterAddresses = {
      sourceMac: addresses.destinationMac,
      destinationMac: addresses.sourceMac,
      source: addresses.destination,
      destination: addresses.source,
    };
    const { vni, sourcePort, trailer } = this.#arrived;
    const tunnel = { vni, sourcePort, timeToLive: firstOuterTtl, options };
    return run.transmit(joinOctets(encapsulate(tunnel, swapped, question.answer(entry.mac)), trailer), 'answered');
  }

  /** An answer about the endpoint `about` to one of ours: only owners are asked. */
  #deliverAnswer(about: Uint8Array, asker: Uint8Array): Outcome {
    const run = this.#run;
    if (this.#location === undefined) return run.drop('arp');
    const endpoint = localEndpoint(run.tables, run.key(asker));
    if (endpoint === undefined) return run.drop('arp');
    if (!isOwner(run.tables, run.key(about), this.#arrived.sourceHostId)) return run.drop('untrusted');
    learnSource(run, run.key(about), this.#location, this.#arrived.sourceHostId, undefined);
    return this.#deliver(endpoint);
  }

  #deliver(endpoint: Pick<Endpoint, 'ifindex' | 'mac'>): Outcome {
    return this.#run.redirect(endpoint.ifindex, this.#innerTo(endpoint), 'delivered');
  }

  #innerTo(endpoint: Pick<Endpoint, 'mac'>): Uint8Array {
    const { inner, trailer } = this.#arrived;
    return joinOctets(withMacs(inner, endpoint.mac, undefined), trailer);
  }

  /** Delivers an IP packet, if services and policies let it be. Sent back it comes by an owner, with LOC. */
  #arrive(endpoint: Endpoint, mayGoBack: boolean): Outcome {
    const run = this.#run;
    if (endpoint.flags === 0) return this.#deliver(endpoint);
    const inner = this.#innerTo(endpoint);
    const flow = readFlow(run, inner, ethernetHeaderBytes);
    if (typeof flow === 'string') return run.drop(flow);
    if ((endpoint.flags & endpointFlag.hasPolicies) !== 0) {
      const subject = { vni: run.vni, identity: endpoint.identity, generation: endpoint.generation };
      const refused = policyArrives(run, subject, { frame: inner, flow }, this.#location !== undefined);
      if (refused === 'noIdentity' && mayGoBack && this.#mayLiveOn()) return this.#sendBackAsMoved();
      if (refused !== undefined) return run.drop(refused);
    }
    if ((endpoint.flags & endpointFlag.hasServices) === 0) return this.#deliver(endpoint);
    const served = serviceArrives(run, run.vni, inner, flow);
    if (served.kind !== 'restored') return this.#deliver(endpoint);
    run.count('restored');
    return run.redirect(endpoint.ifindex, served.frame, 'delivered');
  }

  /** Of a VPC without peers and ways out all that comes is taken for an endpoint of its own. */
  #sourceOf(key: EndpointKey, destination: EndpointKey): Source {
    const { tables } = this.#run;
    const flags = subnetOf(tables, destination)?.flags ?? 0;
    if ((flags & subnetFlag.hasRoutes) === 0) return { kind: 'endpoint', key };
    const meaning = meaningOf(tables, key);
    if (meaning?.kind === 'outside') return { kind: 'outside', key: { ...key, vni: meaning.egress.vni }, egress: meaning.egress };
    return meaning === undefined ? { kind: 'nobody', key } : { kind: 'endpoint', key: meaning.key };
  }

  #isTrusted(source: Source, destination: EndpointKey): boolean {
    if (source.kind !== 'outside') return source.kind === 'endpoint';
    const { tables } = this.#run;
    const { sourceHostId } = this.#arrived;
    const { first, second } = gatewaysOf(tables, source.egress, source.key.vni, source.key.address, destination.address);
    const isRelayed = this.#location !== undefined && isOwner(tables, destination, sourceHostId);
    const sender = isRelayed ? this.#location.hostId : sourceHostId;
    return sender !== 0 && (first === sender || second === sender);
  }

  #data(from: Source, destination: EndpointKey): Outcome {
    const run = this.#run;
    const { tables } = run;
    const subnet = subnetOf(tables, destination);
    if (subnet === undefined || subnet.vni !== run.vni) return run.drop('noRoute');
    if (!this.#isTrusted(from, destination)) return run.drop('untrusted');
    const source = from.key;
    if (subnet.kind === subnetKind.egress) {
      if (from.kind === 'outside' || source.vni !== run.vni) return run.drop('untrusted');
      return subnet.ifindex === 0 ? run.drop('noEndpoint') : this.#deliver({ ifindex: subnet.ifindex, mac: subnet.gatewayMac });
    }
    const endpoint = endpointOf(tables, destination);
    switch (endpoint?.kind) {
      case endpointKind.local:
        if (this.#location !== undefined && from.kind !== 'outside')
          learnSource(run, source, this.#location, this.#arrived.sourceHostId, destination);
        if (this.#asksWho() && !this.#isFinal()) return this.#sendBack(endpoint);
        return this.#arrive(endpoint, !this.#isFinal());
      case endpointKind.directory:
        return this.#relay(endpoint, source, destination);
      case endpointKind.tombstone:
        return this.#follow(endpoint);
      default:
        return this.#notHere(destination);
    }
  }

  #relay(entry: Endpoint, source: EndpointKey, destination: EndpointKey): Outcome {
    const run = this.#run;
    const { sourceHostId } = this.#arrived;
    if (entry.hostId === run.tables.settings.hostId || entry.hostId === sourceHostId) return run.drop('loop');
    // A sender that does not ask has an old path to this host: one packet that is sent back corrects it.
    if (!this.#isFinal() && !this.#asks()) return this.#sendBack(entry);
    const sent = this.#sendOn(entry.hostId);
    // Its LOC names the sender, also when another owner relayed it.
    const sender = this.#location!.hostId;
    if (sent.verdict.kind === 'transmit' && sender !== run.tables.settings.hostId) {
      const { vni } = run;
      const { hostId, generation } = entry;
      run.tell({ vni, sourceHostId: sender, hostId, generation, source: source.address, destination: destination.address });
    }
    return sent;
  }

  /** The endpoint was here and is now elsewhere. */
  #follow(tombstone: Endpoint): Outcome {
    const run = this.#run;
    if (tombstone.hostId === run.tables.settings.hostId) return run.drop('loop');
    return this.#isFinal() ? this.#sendOn(tombstone.hostId) : this.#sendBack(tombstone);
  }

  /** To the sender, with the place where the endpoint is. */
  #sendBack(entry: Endpoint): Outcome {
    const run = this.#run;
    if (!this.#mayLiveOn()) return run.drop('loop');
    const { settings } = run.tables;
    const host = entry.kind === endpointKind.local ? { generation: settings.hostGeneration } : aliveHost(run.tables, entry.hostId);
    if (host === undefined) return run.drop('noEndpoint');
    const place = this.#locationOf(entry, host.generation, locationFlag.destination);
    return this.#send(this.#arrived.sourceHostId, this.#arrived.inner, place, 'sentBack');
  }

  #notHere(destination: EndpointKey): Outcome {
    const run = this.#run;
    const { tables } = run;
    if (this.#isFinal()) return run.drop('noEndpoint');
    const ownId = tables.settings.hostId;
    if (!isOwner(tables, destination, ownId)) return this.#sendBackAsMoved();
    // This host should know and does not: the other owner may. That one sees by the LOC that the packet was relayed.
    const { first, second } = ownersOf(tables, destination);
    const other = first === ownId ? second : first;
    if (other === ownId || aliveHost(tables, other) === undefined) return run.drop('noEndpoint');
    if (!this.#asks()) return this.#sendBackAsMoved();
    return other === this.#arrived.sourceHostId ? run.drop('noEndpoint') : this.#sendOn(other);
  }

  #sendBackAsMoved(): Outcome {
    if (!this.#mayLiveOn()) return this.#run.drop('loop');
    return this.#send(this.#arrived.sourceHostId, this.#arrived.inner, encodeMoved({ endpointGeneration: 0 }), 'sentBack');
  }

  /** Whether the packet must not be sent back: its sender asks so, or it was relayed by an owner, who could do nothing with it. */
  #isFinal(): boolean {
    const location = this.#location;
    if (location === undefined) return false;
    return (location.flags & locationFlag.final) !== 0 || location.hostId !== this.#arrived.sourceHostId;
  }

  /** Whether the sender has no path: it sent the packet here because this host owns the address. */
  #asks(): boolean {
    return this.#location !== undefined && (this.#location.flags & locationFlag.noPath) !== 0;
  }

  /** Whether the packet may not arrive before its sender knows who the destination is. */
  #asksWho(): boolean {
    return this.#location !== undefined && (this.#location.flags & locationFlag.asksWho) !== 0;
  }

  /** A packet of ours that was sent back: corrects the path and sends it again, once, along what is known now. */
  #sendAgain(source: Source, destination: EndpointKey): Outcome {
    const run = this.#run;
    const { tables } = run;
    const { sourceHostId } = this.#arrived;
    const endpoint = localEndpoint(tables, source.key) ?? behindGateway(source);
    if (endpoint === undefined) return run.drop('malformed');
    const path = run.path(destination);
    const pointed = path !== undefined && (path.hostId === sourceHostId || path.previousHostId === sourceHostId);
    if (!pointed && !isOwner(tables, destination, sourceHostId)) return run.drop('untrusted');
    if (!this.#mayLiveOn()) return run.drop('loop');
    if (this.#moved === undefined) this.#learnDestination(destination, this.#location!);
    else if (path !== undefined && path.hostId === sourceHostId && isNewEnough(this.#moved, path)) {
      run.writePath(destination, { ...path, expiresNs: 0n });
    }
    return this.#refusedByPolicy(source.key) ?? this.#again(endpoint, destination);
  }

  /** What goes again may be the first packet of which it is known who its destination is. */
  #refusedByPolicy(source: EndpointKey): Outcome | undefined {
    const run = this.#run;
    const endpoint = localEndpoint(run.tables, source);
    if (endpoint === undefined || (endpoint.flags & endpointFlag.hasPolicies) === 0) return undefined;
    const { inner, trailer } = this.#arrived;
    const frame = joinOctets(inner, trailer);
    const flow = readFlow(run, frame, ethernetHeaderBytes, source.vni);
    if (typeof flow === 'string') return run.drop(flow);
    const { identity, generation } = endpoint;
    const verdict = policyDeparts(run, { vni: source.vni, identity, generation }, { frame, flow });
    return verdict === 'allowed' || verdict === 'unanswered' ? undefined : run.drop(verdict);
  }

  #learnDestination(destination: EndpointKey, location: Location): void {
    const run = this.#run;
    if (!isPlausible(run, destination, location, knownHost(run.tables, location.hostId))) return;
    installPath(run, destination, location, (location.flags & locationFlag.noPath) !== 0);
  }

  #again(endpoint: Sender, destination: EndpointKey): Outcome {
    const run = this.#run;
    const here = localEndpoint(run.tables, destination);
    if (here !== undefined) return this.#arrive(here, false);
    const known = run.path(destination);
    if (known !== undefined && isValid(run.tables, known, run.nowNs)) return this.#againDirect(endpoint, known);
    const owner = findOwner(run, destination, this.#moved === undefined ? 0 : this.#arrived.sourceHostId);
    if (typeof owner === 'string') return run.drop(owner);
    if (owner.path !== undefined) return this.#againDirect(endpoint, owner.path);
    const option = this.#ownLocation(endpoint, locationFlag.final | locationFlag.noPath);
    return this.#send(owner.hostId, this.#arrived.inner, option, 'sentViaOwner');
  }

  #againDirect(endpoint: Sender, path: Path): Outcome {
    const inner = withMacs(this.#arrived.inner, path.mac, undefined);
    return this.#send(path.hostId, inner, this.#ownLocation(endpoint, locationFlag.final), 'sentDirect');
  }

  #ownLocation(endpoint: Sender, flags: number): GeneveOption {
    const { hostId, hostGeneration } = this.#run.tables.settings;
    return this.#locationOf({ ...endpoint, hostId }, hostGeneration, flags);
  }

  #locationOf(endpoint: Sender & Pick<Endpoint, 'hostId'>, hostGeneration: number, flags: number): GeneveOption {
    const { hostId, generation, identity, mac } = endpoint;
    return encodeLocation({ hostId, hostGeneration, endpointGeneration: generation, identity, flags, mac });
  }

  /** A packet that came from the wire lives one hop less when it is sent to another host. */
  #mayLiveOn(): boolean {
    return this.#arrived.timeToLive > 1;
  }

  /** Sends the packet on as it is, with other addresses. */
  #sendOn(hostId: number): Outcome {
    const run = this.#run;
    const { tables } = run;
    if (!this.#mayLiveOn()) return run.drop('loop');
    const host = aliveHost(tables, hostId);
    if (host === undefined) return run.drop('noEndpoint');
    return run.transmit(readdressed(run.frame, addressesTo(tables.settings, host)), 'relayed');
  }

  #send(hostId: number, inner: Uint8Array, option: GeneveOption, what: Reason): Outcome {
    const run = this.#run;
    const { settings, hosts } = run.tables;
    const { vni, sourcePort, timeToLive, trailer } = this.#arrived;
    const tunnel = { vni, sourcePort, timeToLive: timeToLive - 1, options: [option] };
    const outer = encapsulate(tunnel, addressesTo(settings, hosts.get(hostId)!), inner);
    return run.transmit(joinOctets(outer, trailer), what);
  }
}

function isNewEnough(moved: Moved, path: Path): boolean {
  return moved.endpointGeneration === 0 || path.endpointGeneration <= moved.endpointGeneration;
}
