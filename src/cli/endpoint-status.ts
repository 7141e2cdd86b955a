import type { Command } from './command.ts';
import { nameCell, problemCell, showOverlayStatus, statusParameters, type Row } from './overlay-resource-status.ts';
import { overlaySocketOption } from './overlay-session.ts';

export const command: Command = {
  parameters: statusParameters,
  options: overlaySocketOption,
  description: 'Endpoints that are resources; pods of the CNI plugin are in "van overlay status" of their host.',
  examples: [
    { line: 'van endpoint status', meaning: 'All endpoints' },
    { line: 'van endpoint status web -o yaml', meaning: 'Everything about one' },
  ],
  run: (call) =>
    showOverlayStatus(call, {
      kind: 'Endpoint',
      plural: 'endpoints',
      columns: [
        ['NAME', nameCell],
        ['STATUS', stateCell],
        ['SUBNET', ({ spec }) => spec.subnet],
        ['HOST', ({ spec }) => spec.host ?? ''],
        ['ADDRESSES', ({ report, spec }) => (report.status.addresses ?? spec.addresses).join(', ')],
        ['MAC', ({ report }) => report.status.mac ?? ''],
        ['NETNS', ({ spec }) => spec.netns ?? ''],
        [
          'LABELS',
          ({ report }) =>
            Object.entries(report.metadata.labels ?? {})
              .map(([key, value]) => `${key}=${value}`)
              .join(', '),
        ],
        ['PROBLEM', problemCell],
      ],
    }),
};

function stateCell({ report, spec }: Row<'Endpoint'>): string {
  if (report.status.problem !== undefined) return 'Failed';
  if (report.status.addresses !== undefined) return 'Ready';
  return spec.netns === undefined && spec.forward.length === 0 && spec.offer.length === 0 ? 'Reserved' : 'Pending';
}
