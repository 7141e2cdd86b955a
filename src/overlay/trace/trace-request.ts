import { numberOf, objectOf } from '../control/json-reader.ts';
import { parseAddress } from '../packet/address.ts';
import type { TracePacket, TraceProtocol } from './trace-packet.ts';

/** As an operator asks. Addresses are text. */
export interface TraceRequest {
  readonly vni: number;
  readonly source: string;
  readonly destination: string;
  readonly protocol: TraceProtocol;
  readonly sourcePort: number;
  readonly port: number;
  readonly bytes: number;
}

export const traceProtocols: readonly TraceProtocol[] = ['tcp', 'udp', 'icmp'];
/** Longest IP packet: the kernel runs programs on what fits into a page, beside what they may add. */
export const longestPacketBytes = 3000;

const highestVni = 0xffffff;
const highestPort = 0xffff;

/** Undefined when it is not exactly that. */
export function parseTraceRequest(value: unknown): { readonly vni: number; readonly packet: TracePacket } | undefined {
  const request = objectOf(value) ?? {};
  const vni = numberOf(request['vni'], highestVni);
  const protocol = traceProtocols.find((known) => known === request['protocol']);
  const source = typeof request['source'] === 'string' ? parseAddress(request['source']) : undefined;
  const destination = typeof request['destination'] === 'string' ? parseAddress(request['destination']) : undefined;
  const sourcePort = numberOf(request['sourcePort'], highestPort);
  const port = numberOf(request['port'], highestPort);
  const bytes = numberOf(request['bytes'], longestPacketBytes);
  if (vni === undefined || protocol === undefined || source === undefined || destination === undefined) return undefined;
  if (sourcePort === undefined || port === undefined || bytes === undefined) return undefined;
  return { vni, packet: { source, destination, protocol, sourcePort, port, bytes } };
}
