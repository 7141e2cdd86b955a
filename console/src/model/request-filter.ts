import type { RequestRow } from '../../../src/flows/network-snapshot.ts';
import { commandLine } from '../format/command-line.ts';

/** Texts as they are typed; an empty one matches everything. */
export interface RequestFilter {
  readonly service: string;
  readonly method: string;
  /** The start of the path. */
  readonly path: string;
  /** `503` or `5xx`; the start of either while it is being typed. */
  readonly status: string;
  /** Name of the site of the client. */
  readonly from: string;
  /** Name of the site of the server. */
  readonly to: string;
}

export const filterNames = ['service', 'method', 'path', 'status', 'from', 'to'] as const;

export function filterOf(parameters: Readonly<Record<string, string>>): RequestFilter {
  return {
    service: parameters['service'] ?? '',
    method: parameters['method'] ?? '',
    path: parameters['path'] ?? '',
    status: parameters['status'] ?? '',
    from: parameters['from'] ?? '',
    to: parameters['to'] ?? '',
  };
}

export function isFiltered(filter: RequestFilter): boolean {
  return filterNames.some((name) => filter[name] !== '');
}

export function matchesFilter(row: RequestRow, filter: RequestFilter): boolean {
  return (
    (filter.service === '' || row.address === filter.service) &&
    (filter.method === '' || row.method?.toLowerCase() === filter.method.toLowerCase()) &&
    (filter.path === '' || (row.path?.startsWith(filter.path) ?? false)) &&
    (filter.status === '' || matchesStatus(row, filter.status.toLowerCase())) &&
    (filter.from === '' || row.sourceSite === filter.from) &&
    (filter.to === '' || row.destSite === filter.to)
  );
}

function matchesStatus({ status }: RequestRow, wanted: string): boolean {
  if (status === null) return false;
  const digits = String(status);
  return Array.from(wanted).every((character, index) => character === 'x' || character === digits[index]);
}

/** The filter as the observer and `van tap` take it: a status that is not typed to its end is left out. */
export function completeFilter(filter: RequestFilter): RequestFilter {
  return /^[1-5](?:\d\d|xx)$/i.test(filter.status) ? filter : { ...filter, status: '' };
}

export interface Outcome {
  readonly text: string;
  readonly tone: 'good' | 'fair' | 'poor' | 'none';
}

/** What became of a request or connection, in one word. */
export function outcomeOf({ error, status, grpcStatus, ended, kind }: RequestRow): Outcome {
  if (error !== null) return { text: status === null ? error : String(status), tone: 'poor' };
  if (grpcStatus !== null && grpcStatus !== 0) return { text: `grpc ${grpcStatus}`, tone: 'poor' };
  if (status !== null) return { text: String(status), tone: status >= 500 ? 'poor' : status >= 400 ? 'fair' : 'good' };
  if (!ended) return { text: 'open', tone: 'none' };
  return { text: kind === 'connection' ? 'closed' : 'ended', tone: 'none' };
}

/** The command that shows the same requests. */
export function tapCommand(filter: RequestFilter): string {
  const { service, method, path, status, from, to } = completeFilter(filter);
  return commandLine(['van', 'tap', ...(service === '' ? [] : [service])], { method, path, status, from, to });
}
