import type { KnownRecords, StoredRecord } from './known-records.ts';
import type { RequestRow } from './network-snapshot.ts';
import type { RecentRequests, StoredRequest } from './recent-requests.ts';
import type { RecordUpdate } from './record.ts';
import { Attribute, RecordType } from './record-types.ts';
import { millisecondsOf, numberOf, textOf, textOrNull } from './record-values.ts';
import type { ServerIndex } from './server-index.ts';
import { plainRouterId, type SiteDirectory } from './site-directory.ts';

/** What a row is made of. */
export interface RequestSources {
  readonly directory: SiteDirectory;
  readonly records: KnownRecords;
  readonly requests: RecentRequests;
  readonly servers: ServerIndex;
}

/** The parts of the time to the first octet of the answer, in milliseconds; null when they were not told. */
export interface RequestTimes {
  readonly durationMs: number | null;
  readonly firstByteMs: number | null;
  readonly choiceMs: number | null;
  readonly networkMs: number | null;
  readonly connectMs: number | null;
  readonly serverMs: number | null;
}

/** The listener that a request or connection came by; a request may have come by a connection that has a record of its own. */
export function listenerOf(
  request: StoredRequest,
  { records, requests }: Pick<RequestSources, 'records' | 'requests'>,
): StoredRecord | undefined {
  const parent = textOf(request.attributes, Attribute.parent);
  const connection = requests.find(parent);
  const listener = records.find(connection === undefined ? parent : textOf(connection.attributes, Attribute.parent));
  return listener?.type === RecordType.listener ? listener : undefined;
}

/** A request with what it is made of, which the row has as names. */
export interface DescribedRequest {
  readonly row: RequestRow;
  /** Ids of the routers on the way, as `traceOf` gives them. */
  readonly routers: readonly string[];
}

/** The row; made again only when something that it is made of has changed. */
export function requestRow(request: StoredRequest, sources: RequestSources): RequestRow {
  const version = sources.directory.version + sources.records.version;
  if (request.row?.version === version) return request.row.row;
  const { row } = describeRequest(request, sources);
  // Where it went may still be told, of its connection.
  if (row.destSite !== null) request.row = { row, version };
  return row;
}

export function describeRequest(request: StoredRequest, sources: RequestSources): DescribedRequest {
  const { directory, requests, servers } = sources;
  const { attributes, id, ended, source } = request;
  const listener = listenerOf(request, sources)?.attributes;
  const connection = requests.find(textOf(attributes, Attribute.parent))?.attributes;
  /** What a request does not tell may be told of its connection. */
  const told = (attribute: number): string =>
    textOf(attributes, attribute) || (connection === undefined ? '' : textOf(connection, attribute));
  const kind = numberOf(attributes, Attribute.recordType) === RecordType.applicationFlow ? 'request' : 'connection';
  const result = numberOf(attributes, Attribute.result) ?? Number(textOf(attributes, Attribute.result) || Number.NaN);
  const address = told(Attribute.vanAddress) || (listener === undefined ? '' : textOf(listener, Attribute.vanAddress));
  const destRouter = told(Attribute.destRouter);
  const server = servers.find(destRouter, told(Attribute.connector) || told(Attribute.destServer), address);
  const destId = server === undefined ? destRouter : directory.placeOfSource(server.source).routerId || destRouter;
  const routers = traceOf(told(Attribute.trace), destId);
  const row: RequestRow = {
    id,
    kind,
    startMs: startMsOf(request),
    ended,
    address,
    protocol: textOf(attributes, Attribute.protocol) || (listener === undefined ? '' : textOf(listener, Attribute.protocol)),
    method: textOrNull(attributes, Attribute.method),
    path: textOrNull(attributes, Attribute.path),
    authority: textOrNull(attributes, Attribute.authority),
    requestId: textOrNull(attributes, Attribute.requestId),
    status: kind === 'request' && Number.isInteger(result) && result > 0 ? result : null,
    grpcStatus: numberOf(attributes, Attribute.grpcStatus) ?? null,
    error:
      textOrNull(attributes, Attribute.networkError) ??
      textOrNull(attributes, Attribute.errorListenerSide) ??
      textOrNull(attributes, Attribute.errorConnectorSide),
    sourceSite: directory.placeOfSource(source).name,
    client: hostAndPort(told(Attribute.sourceHost), told(Attribute.sourcePort)),
    destSite: destId === '' ? null : directory.placeOfRouter(destId).name,
    connector: server === undefined ? null : textOrNull(server.attributes, Attribute.name),
    server: server === undefined ? null : serverText(server.attributes) || null,
    trace: routers.map((routerId) => directory.placeOfRouter(routerId).name),
    tries: numberOf(attributes, Attribute.tries) ?? 1,
    bytesFromClient: numberOf(attributes, Attribute.octets) ?? 0,
    bytesToClient: numberOf(attributes, Attribute.octetsReverse) ?? 0,
    ...requestTimes(attributes, ended),
  };
  return { row, routers };
}

/** When it began, by its router's clock; when it was heard of, where that was not told. */
export function startMsOf({ attributes, firstSeenMs }: StoredRequest): number {
  return millisecondsOf(attributes, Attribute.startTime) ?? firstSeenMs;
}

/** Times are differences of one clock each: what the client's router measured, less what the server's router measured, is the network. */
export function requestTimes(attributes: RecordUpdate, ended: boolean): RequestTimes {
  const start = numberOf(attributes, Attribute.startTime);
  const end = numberOf(attributes, Attribute.endTime);
  const firstByteMs = millisecondsOf(attributes, Attribute.firstByteMicroseconds) ?? millisecondsOf(attributes, Attribute.latency);
  // Routers whose wall clock ticks in milliseconds tell both times a little wrong.
  const durationMs =
    ended && start !== undefined && end !== undefined && end >= start ? Math.max((end - start) / 1000, firstByteMs ?? 0) : null;
  const choiceMs = millisecondsOf(attributes, Attribute.choiceMicroseconds);
  const atServerMs =
    millisecondsOf(attributes, Attribute.serverFirstByteMicroseconds) ?? millisecondsOf(attributes, Attribute.processLatency);
  const connectMs = millisecondsOf(attributes, Attribute.connectMicroseconds);
  const networkMs = firstByteMs === null || atServerMs === null ? null : Math.max(0, firstByteMs - (choiceMs ?? 0) - atServerMs);
  const serverMs = atServerMs === null ? null : Math.max(0, atServerMs - (connectMs ?? 0));
  return { durationMs, firstByteMs, choiceMs, networkMs, connectMs, serverMs };
}

/**
 * Ids of the routers on the way, both ends included; empty when both ends are one router (`Local`), or the way is not known. What is told
 * are the routers that sent the request on: the last one may not be among them.
 */
export function traceOf(text: string, destId: string): readonly string[] {
  if (text === '' || text === 'Local') return [];
  const routers = text.split('|').map(plainRouterId);
  return destId === '' || routers.at(-1) === destId ? routers : [...routers, destId];
}

/** Host and port of a server, as its connector has them. */
export function serverText(connector: RecordUpdate): string {
  return hostAndPort(textOf(connector, Attribute.destHost), textOf(connector, Attribute.destPort));
}

function hostAndPort(host: string, port: string): string {
  if (host === '') return '';
  return port === '' ? host : `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
