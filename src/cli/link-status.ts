import type { Command } from './command.ts';
import { messageCell, nameCell, showStatus, statusCell } from './service-resources.ts';
import type { ShownResource } from './site-session.ts';

export const command: Command = {
  parameters: [{ name: 'NAME', meaning: 'only this one, in detail', optional: true }],
  options: {},
  description:
    'These are the links that this site makes to others. Links that others made to it are in "van network status". TRUST: what\n' +
    'a "signed" neighbour says is verified by its signature; a "certified" one proves only who it is; an "unsigned" one neither.',
  examples: [
    { line: 'van link status', meaning: 'All links that this site makes' },
    { line: 'van link status --wait ready', meaning: 'Wait until all of them are up' },
  ],
  run: (call) =>
    showStatus(call, {
      kind: 'Link',
      plural: 'links',
      columns: [
        ['NAME', nameCell],
        ['STATUS', statusCell],
        ['COST', ({ spec }) => String(typeof spec['cost'] === 'number' ? spec['cost'] : 1)],
        ['TO', endpointCell],
        ['SITE', ({ status }) => (typeof status?.['remoteSiteName'] === 'string' ? status['remoteSiteName'] : '')],
        ['TRUST', ({ status }) => (typeof status?.['remoteTrust'] === 'string' ? status['remoteTrust'] : '')],
        ['MESSAGE', messageCell],
      ],
    }),
};

function endpointCell({ spec }: ShownResource): string {
  const endpoints = Array.isArray(spec['endpoints'])
    ? (spec['endpoints'] as readonly { host?: unknown; port?: unknown; name?: unknown }[])
    : [];
  return endpoints
    .filter(({ name }) => name === 'inter-router')
    .map(({ host, port }) => `${String(host)}:${String(port)}`)
    .join(', ');
}
