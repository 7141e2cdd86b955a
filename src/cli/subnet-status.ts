import type { Command } from './command.ts';
import { nameCell, originCell, problemCell, showOverlayStatus, statusParameters } from './overlay-resource-status.ts';
import { overlaySocketOption } from './overlay-session.ts';

export const command: Command = {
  parameters: statusParameters,
  options: overlaySocketOption,
  description: 'HOSTS are those that have pods in the subnet.',
  examples: [
    { line: 'van subnet status', meaning: 'All subnets' },
    { line: 'van subnet status front -o yaml', meaning: 'Everything about one' },
  ],
  run: (call) =>
    showOverlayStatus(call, {
      kind: 'Subnet',
      plural: 'subnets',
      columns: [
        ['NAME', nameCell],
        ['VPC', ({ spec }) => spec.vpc],
        ['ID', ({ report }) => String(report.status.id ?? '')],
        ['PREFIXES', ({ spec }) => spec.prefixes.join(', ')],
        ['FIXED', ({ spec }) => spec.fixed.join(', ')],
        ['HOSTS', ({ report }) => (report.status.hosts ?? []).join(', ')],
        ['FROM', originCell],
        ['PROBLEM', problemCell],
      ],
    }),
};
