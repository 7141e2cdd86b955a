import type { JSX } from 'preact';
import type { EdgeRow } from '../../../src/flows/network-snapshot.ts';
import { visibleName } from '../format/visible-name.ts';
import { DataTable } from '../parts/data-table.tsx';
import { goldenColumns } from '../parts/golden-columns.tsx';
import { Icon } from '../parts/icon.tsx';
import { ServiceLink, SiteLink } from '../parts/site-link.tsx';

const securedTexts = { 'mutual-tls': 'mTLS', partly: 'partly', local: 'local' } as const;

export function EdgeTable({ edges }: { readonly edges: readonly EdgeRow[] }): JSX.Element {
  return (
    <DataTable
      label="Who talks to whom"
      rows={edges}
      keyOf={({ sourceId, destId, address, protocol }) => `${sourceId} ${destId} ${address} ${protocol}`}
      order={{ key: 'service', descending: false }}
      columns={[
        {
          key: 'service',
          title: 'Service',
          render: ({ address }) => <ServiceLink address={address} />,
          sortBy: ({ address, sourceName, destName }) => `${address} ${sourceName} ${destName}`,
        },
        {
          key: 'src',
          title: 'From',
          render: ({ sourceId, sourceName }) => <SiteLink id={sourceId} name={sourceName} />,
          sortBy: ({ sourceName }) => sourceName,
        },
        {
          key: 'dst',
          title: 'To',
          render: ({ destId, destName }) => <SiteLink id={destId} name={destName} />,
          sortBy: ({ destName }) => destName,
        },
        { key: 'protocol', title: 'Protocol', render: ({ protocol }) => visibleName(protocol), wideOnly: true },
        { key: 'secured', title: 'Secured', render: ({ secured }) => <Secured secured={secured} />, sortBy: ({ secured }) => secured },
        ...goldenColumns<EdgeRow>(({ golden }) => golden).slice(0, 5),
      ]}
    />
  );
}

export function Secured({ secured }: { readonly secured: EdgeRow['secured'] }): JSX.Element {
  return (
    <span class={`secured-text is-${secured}`}>
      {secured === 'local' ? null : <Icon name={secured === 'mutual-tls' ? 'lock' : 'unlocked'} size={13} />}
      {securedTexts[secured]}
    </span>
  );
}
