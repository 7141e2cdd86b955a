import type { KnownRecords, StoredRecord } from './known-records.ts';
import type { LinkRow } from './network-snapshot.ts';
import { Attribute, RecordType } from './record-types.ts';
import { millisecondsOf, numberOf, textOf } from './record-values.ts';
import type { SiteDirectory } from './site-directory.ts';
import type { PathLink } from './site-paths.ts';
import type { TopologyLink } from './topology-report.ts';

/** A link between two sites, and the record that tells of it. */
export interface KnownLink extends PathLink {
  readonly id: string;
  readonly name: string;
  readonly directionKnown: boolean;
  readonly isUp: boolean;
  readonly lossRatio: number | null;
  readonly upSinceMs: number | null;
  readonly downCount: number;
  /** The record with the octets; undefined for links that only routing knows. */
  readonly record: StoredRecord | undefined;
  /** The record is of the side that did not dial: its octets are the other way round. */
  readonly isReversed: boolean;
}

/** Cost of a link that nobody tells: that of a link that nobody configured. */
const usualCost = 1;

/**
 * The links of the whole network, each once: as the side that dialled tells of it, as the other side does where the first tells nothing,
 * and as routing knows it where nobody does.
 */
export function knownLinks(directory: SiteDirectory, records: KnownRecords): readonly KnownLink[] {
  const topology = new Map((directory.topology?.links ?? []).map((link) => [pairOf(link.from.routerId, link.to.routerId), link]));
  const told = [...records.ofType(RecordType.link)]
    .map((record) => toldLink(record, directory, records, topology))
    .filter((link) => link !== undefined);
  const dialled = new Set(told.filter(({ isReversed }) => !isReversed).map(({ from, to }) => pairOf(from, to)));
  const links = told.filter((link) => !link.isReversed || !dialled.has(pairOf(link.from, link.to)));
  const pairs = new Set(links.map(({ from, to }) => pairOf(from, to)));
  for (const [pair, link] of topology) if (!pairs.has(pair)) links.push(routedLink(pair, link, directory));
  return links;
}

function toldLink(
  record: StoredRecord,
  directory: SiteDirectory,
  records: KnownRecords,
  topology: ReadonlyMap<string, TopologyLink>,
): KnownLink | undefined {
  const { attributes, identity } = record;
  const role = textOf(attributes, Attribute.role);
  if (role !== '' && role !== 'inter-router') return undefined;
  const own = directory.placeOfSource(record.source).routerId;
  const access = records.find(textOf(attributes, Attribute.peer));
  const peer = textOf(attributes, Attribute.peerRouter) || (access === undefined ? '' : directory.placeOfSource(access.source).routerId);
  if (own === '' || own === peer) return undefined;
  const isReversed = textOf(attributes, Attribute.direction) === 'incoming';
  const [from, to] = isReversed ? [peer, own] : [own, peer];
  const routed = topology.get(pairOf(from, to));
  const loss = numberOf(attributes, Attribute.lossMillionths);
  return {
    id: identity,
    name: textOf(attributes, Attribute.name),
    from,
    to,
    directionKnown: true,
    cost: routed?.cost ?? numberOf(attributes, Attribute.linkCost) ?? usualCost,
    roundTripMs: millisecondsOf(attributes, Attribute.roundTripMicroseconds),
    lossRatio: loss === undefined ? null : Math.min(1, loss / 1e6),
    isMutual: textOf(attributes, Attribute.protocol) === 'amqps',
    isUp: textOf(attributes, Attribute.operStatus) === 'up' && directory.known(record.source)?.state === 'up',
    upSinceMs: millisecondsOf(attributes, Attribute.upTimestamp),
    downCount: numberOf(attributes, Attribute.downCount) ?? 0,
    record,
    isReversed,
  };
}

function routedLink(pair: string, { from, to, cost, direction, owner }: TopologyLink, directory: SiteDirectory): KnownLink {
  const dialledByTo = direction !== null && (direction === 'out') === (to.routerId === directory.ownRouterId);
  const [dialler, other] = dialledByTo ? [to, from] : [from, to];
  const trusted = [from, to].every(({ routerId }) => ['signed', 'certified'].includes(directory.topologySite(routerId)?.trust ?? ''));
  return {
    id: pair,
    name: owner ?? '',
    from: dialler.routerId,
    to: other.routerId,
    directionKnown: direction !== null,
    cost,
    roundTripMs: null,
    lossRatio: null,
    isMutual: trusted,
    isUp: true,
    upSinceMs: null,
    downCount: 0,
    record: undefined,
    isReversed: false,
  };
}

export function linkRow(link: KnownLink, directory: SiteDirectory, octetsPerSecond: readonly [number, number]): LinkRow {
  const [forth, back] = link.isReversed ? [octetsPerSecond[1], octetsPerSecond[0]] : octetsPerSecond;
  return {
    id: link.id,
    name: link.name,
    from: link.from,
    to: link.to,
    fromName: directory.placeOfRouter(link.from).name,
    toName: directory.placeOfRouter(link.to).name,
    directionKnown: link.directionKnown,
    cost: link.cost,
    state: link.isUp ? 'up' : 'down',
    roundTripMs: link.roundTripMs,
    lossRatio: link.lossRatio,
    upSinceMs: link.upSinceMs,
    downCount: link.downCount,
    bytesPerSecond: forth,
    bytesReversePerSecond: back,
  };
}

function pairOf(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
