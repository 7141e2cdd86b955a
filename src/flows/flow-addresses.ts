/** Addresses of the records of one source, e.g. a router. */
export interface FlowAddresses {
  /** What the source calls itself: `<source>:0` for routers. */
  readonly id: string;
  /** Where all sources make themselves known. */
  readonly beacons: string;
  /** Records of what is configured and stands, and heartbeats. */
  readonly records: string;
  /** Records of single requests and connections. */
  readonly flows: string;
  readonly logs: string;
  /** Records of Caravan's own types. */
  readonly caravan: string;
  /** Some controllers send their heartbeats here. */
  readonly heartbeats: string;
  /** To the source: send all records again. */
  readonly direct: string;
  /** To the source: what others know of its flows. */
  readonly supplements: string;
}

export type FlowAddressKind = 'beacons' | 'records' | 'flows' | 'logs' | 'caravan' | 'heartbeats';

/** Where sources make themselves known. */
export const beaconAddress = 'mc/sfe.all';
const recordsPrefix = 'mc/sfe.';
const directPrefix = 'sfe.';
const supplementsPrefix = 'vfcr.';
/** A router's source id is 5 characters, a controller's a UUID or a name. */
const maxSourceIdLength = 256;

/** Of the source that calls itself `id`. */
export function flowAddresses(id: string): FlowAddresses {
  const records = recordsPrefix + id;
  return {
    id,
    beacons: beaconAddress,
    records,
    flows: `${records}.flows`,
    logs: `${records}.logs`,
    caravan: `${records}.caravan`,
    heartbeats: `${records}.heartbeats`,
    direct: directPrefix + id,
    supplements: supplementsPrefix + id,
  };
}

/** The address of the source that has begun a flow. */
export function supplementAddress(sourceId: string): string {
  return `${supplementsPrefix}${sourceId}:0`;
}

/** What is sent to an address, and by which source; undefined for other addresses. Beacons name their source themselves. */
export function parseFlowAddress(to: string): { readonly kind: FlowAddressKind; readonly id: string } | undefined {
  if (to === beaconAddress) return { kind: 'beacons', id: '' };
  if (!to.startsWith(recordsPrefix)) return undefined;
  const rest = to.slice(recordsPrefix.length);
  const dot = rest.lastIndexOf('.');
  const kind = dot < 0 ? undefined : kindOf(rest.slice(dot + 1));
  const id = kind === undefined ? rest : rest.slice(0, dot);
  if (id.length === 0 || id.length > maxSourceIdLength) return undefined;
  return { kind: kind ?? 'records', id };
}

function kindOf(suffix: string): FlowAddressKind | undefined {
  switch (suffix) {
    case 'flows':
    case 'logs':
    case 'caravan':
    case 'heartbeats':
      return suffix;
    default:
      return undefined;
  }
}

const flowIdentity = /^[\w+-]{5}:(?:0|[1-9]\d{0,14})$/;

/** Whether a text is the identity of a record that a router has made: `<5 characters>:<number>`. */
export function isFlowIdentity(text: string | null): text is string {
  // Most texts asked about are ids of requests, which have no colon there.
  return text !== null && text.charCodeAt(5) === 0x3a && text.length <= 21 && flowIdentity.test(text);
}
