import type { Command } from './command.ts';
import { nameCell, originCell, problemCell, showOverlayStatus, statusParameters, type Row } from './overlay-resource-status.ts';
import { overlaySocketOption } from './overlay-session.ts';

export const command: Command = {
  parameters: statusParameters,
  options: overlaySocketOption,
  description: 'A peer that does not name this VPC in turn is waited for. What a configuration says cannot be changed by commands.',
  examples: [
    { line: 'van vpc status', meaning: 'All VPCs' },
    { line: 'van vpc status red -o yaml', meaning: 'Everything about one' },
  ],
  run: (call) =>
    showOverlayStatus(call, {
      kind: 'VPC',
      plural: 'VPCs',
      columns: [
        ['NAME', nameCell],
        ['VNI', ({ report }) => String(report.status.vni ?? '')],
        ['PREFIXES', ({ spec }) => spec.prefixes.join(', ')],
        ['SUBNETS', subnetsCell],
        ['PEERS', peersCell],
        ['DNS', ({ spec }) => spec.dns],
        ['EGRESS', ({ spec }) => spec.egress?.mode ?? ''],
        ['FROM', originCell],
        ['PROBLEM', problemCell],
      ],
    }),
};

function subnetsCell({ report, all }: Row<'VPC'>): string {
  return String(all.filter((other) => other.kind === 'Subnet' && 'vpc' in other.spec && other.spec.vpc === report.metadata.name).length);
}

function peersCell({ report, spec, all }: Row<'VPC'>): string {
  return spec.peers
    .map((name) => {
      const peer = all.find((other) => other.kind === 'VPC' && other.metadata.name === name);
      const isMutual = peer !== undefined && 'peers' in peer.spec && peer.spec.peers.includes(report.metadata.name);
      return isMutual ? name : `${name} (waiting)`;
    })
    .join(', ');
}
