import { checkStatusFilter, type RequestFilter } from '../flows/tap-filter.ts';
import type { Call } from './call.ts';
import type { Option } from './command.ts';

/** Options that say which requests are wanted. */
export const requestOptions: Readonly<Record<string, Option>> = {
  method: { value: 'METHOD', meaning: 'only requests with this method' },
  path: { value: 'PREFIX', meaning: 'only requests whose path begins so' },
  status: { value: 'STATUS', meaning: 'only answers with this status, or with one of a class, such as 5xx' },
  from: { value: 'SITE', meaning: 'only from clients at this site' },
  to: { value: 'SITE', meaning: 'only to servers at this site' },
};

export function requestFilter(call: Call, service: string | undefined): RequestFilter {
  const status = call.text('status');
  const given = {
    service,
    method: call.text('method')?.toUpperCase(),
    path: call.text('path'),
    status: status === undefined ? undefined : checkStatusFilter(status, '--status'),
    from: call.text('from'),
    to: call.text('to'),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
