import { InputError } from '../base/errors.ts';
import type { RequestRow } from './network-snapshot.ts';

/** Which requests and connections are wanted; what is absent does not matter. */
export interface RequestFilter {
  readonly service?: string | undefined;
  readonly method?: string | undefined;
  /** Beginning of the path. */
  readonly path?: string | undefined;
  /** A status such as `404`, or a class such as `5xx`. */
  readonly status?: string | undefined;
  /** Site of either end. */
  readonly site?: string | undefined;
  /** Site of the client. */
  readonly from?: string | undefined;
  /** Site of the server. */
  readonly to?: string | undefined;
  readonly kind?: RequestRow['kind'] | undefined;
}

/** Throws InputError when `text` is neither a status nor a class of them. */
export function checkStatusFilter(text: string, where: string): string {
  if (/^[1-5](?:\d\d|xx)$/i.test(text)) return text.toLowerCase();
  throw new InputError('bad-option', where, `must be a status such as 404 or a class such as 5xx, not '${text}'`);
}

export function matchesRequest(filter: RequestFilter, row: RequestRow): boolean {
  const { service, method, path, status, site, from, to, kind } = filter;
  return (
    (service === undefined || row.address === service) &&
    (kind === undefined || row.kind === kind) &&
    (method === undefined || row.method?.toUpperCase() === method.toUpperCase()) &&
    (path === undefined || row.path?.startsWith(path) === true) &&
    (status === undefined || matchesStatus(status, row.status)) &&
    (site === undefined || row.sourceSite === site || row.destSite === site) &&
    (from === undefined || row.sourceSite === from) &&
    (to === undefined || row.destSite === to)
  );
}

function matchesStatus(wanted: string, status: number | null): boolean {
  if (status === null) return false;
  return wanted.toLowerCase().endsWith('xx') ? Math.floor(status / 100) === Number(wanted[0]) : status === Number(wanted);
}
