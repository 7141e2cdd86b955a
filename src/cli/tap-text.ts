import type { RequestRow } from '../flows/network-snapshot.ts';
import { bytesText, latencyText } from './golden-cells.ts';
import { printableLine } from './printable.ts';

/** Names of what gRPC answers with, by number. */
const grpcNames: readonly string[] = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

export function grpcText(status: number): string {
  return grpcNames[status] ?? String(status);
}

/** The beginning of a request or connection: who asks whom for what. */
export function beginText(row: RequestRow, wide: boolean): string {
  const http = row.kind === 'request' ? [pair(':method', row.method), pair(':authority', row.authority), pair(':path', row.path)] : [];
  const more = wide
    ? [pair('protocol', row.protocol), pair('request-id', row.requestId), `start=${new Date(row.startMs).toISOString()}`]
    : [];
  const ends = [pair('src', row.client), pair('dst', row.server ?? row.connector)];
  return line(row.kind === 'request' ? 'req' : 'con', row, [wayText(row), pair('service', row.address), ...ends, ...http, ...more]);
}

/** The first octet of the answer with the time of each hop; empty when there was none. */
export function answerText(row: RequestRow, wide: boolean): string {
  if (row.firstByteMs === null) return '';
  const times = [
    time('choice', row.choiceMs),
    time('network', row.networkMs),
    time('connect', row.connectMs),
    time('server', row.serverMs),
  ];
  const status = row.status === null ? undefined : `:status=${row.status}`;
  const more = wide || row.tries > 1 ? [`tries=${row.tries}`] : [];
  return line('rsp', row, [status, time('latency', row.firstByteMs), ...times, ...more]);
}

export function endText(row: RequestRow, wide: boolean): string {
  const status = row.firstByteMs === null && row.status !== null ? `:status=${row.status}` : undefined;
  const grpc = row.grpcStatus === null ? undefined : `grpc-status=${grpcText(row.grpcStatus)}`;
  const octets =
    row.kind === 'request' && !wide
      ? [`response-length=${bytesText(row.bytesToClient)}`]
      : [`sent=${bytesText(row.bytesFromClient)}`, `received=${bytesText(row.bytesToClient)}`];
  return line('end', row, [status, grpc, time('duration', row.durationMs), ...octets, pair('error', row.error)]);
}

function line(event: string, { id }: RequestRow, parts: readonly (string | undefined)[]): string {
  return `${printableLine([event, `id=${id}`, ...parts.filter((part) => part !== undefined)].join(' '))}\n`;
}

/** The sites from the client to the server. */
function wayText({ sourceSite, destSite, trace }: RequestRow): string {
  if (trace.length > 1) return `way=${trace.map(word).join('>')}`;
  return `way=${word(sourceSite)}${destSite === null || destSite === sourceSite ? '' : `>${word(destSite)}`}`;
}

function pair(name: string, value: string | null): string | undefined {
  return value === null || value === '' ? undefined : `${name}=${word(value)}`;
}

/** Values with blanks stand in quotes: every line can be taken apart. */
function word(value: string): string {
  return /[\s"]/.test(value) ? JSON.stringify(value) : value;
}

function time(name: string, milliseconds: number | null): string | undefined {
  return milliseconds === null ? undefined : `${name}=${latencyText(milliseconds)}`;
}
