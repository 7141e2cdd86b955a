import type { JSX } from 'preact';
import type { ListenerRow, ServerRow, ServiceRow } from '../../../src/flows/network-snapshot.ts';
import { commandLine } from '../format/command-line.ts';
import { visibleName } from '../format/visible-name.ts';
import { CliCommand } from '../parts/cli-command.tsx';
import { DataTable } from '../parts/data-table.tsx';
import { goldenColumns } from '../parts/golden-columns.tsx';
import { History } from '../parts/history.tsx';
import { Name } from '../parts/name.tsx';
import { Empty } from '../parts/panel.tsx';
import { ShareBar } from '../parts/share-bar.tsx';
import { SiteLink } from '../parts/site-link.tsx';
import { useWindowOption } from '../parts/window-choice.tsx';
import { pageLink } from '../state/route.ts';

/** Servers with their shares, listeners, and the history of a service. */
export function ServiceDetails({ service }: { readonly service: ServiceRow }): JSX.Element {
  const { address, protocols, distribution, servers, listeners } = service;
  return (
    <div class="service-details">
      <p class="service-facts">
        <span>{protocols.map(visibleName).join(', ') || 'no protocol known'}</span>
        <span>{visibleName(distribution)}</span>
        <a href={pageLink('live', { service: address })}>Live requests</a>
        <a href={pageLink('requests', { service: address })}>Earlier requests</a>
        <CliCommand command={commandLine(['van', 'stat', 'servers', address], useWindowOption())} />
      </p>
      <h3>Servers</h3>
      {servers.length === 0 ? (
        <Empty title="No server" command={commandLine(['van', 'connector', 'create', address, '8080'])}>
          Clients of the service wait or are told that there is none.
        </Empty>
      ) : (
        <DataTable
          label={`Servers of ${visibleName(address)}`}
          rows={servers}
          keyOf={({ siteId, connector, host, port }) => `${siteId} ${connector} ${host} ${port}`}
          order={{ key: 'site', descending: false }}
          columns={[
            {
              key: 'site',
              title: 'Site',
              render: ({ siteId, siteName }) => <SiteLink id={siteId} name={siteName} />,
              sortBy: ({ siteName }) => siteName,
            },
            { key: 'connector', title: 'Connector', render: ({ connector }) => <Name text={connector} /> },
            { key: 'server', title: 'Server', render: ({ host, port }) => <Name text={`${host}:${port}`} mono />, wideOnly: true },
            { key: 'share', title: 'Share', render: ({ share }) => <ShareBar share={share} />, sortBy: ({ share }) => share },
            ...goldenColumns<ServerRow>(({ golden }) => golden).filter(({ key }) => key !== 'open'),
          ]}
        />
      )}
      <h3>Listeners</h3>
      {listeners.length === 0 ? (
        <Empty title="No listener" command={commandLine(['van', 'listener', 'create', address, '8080'])}>
          No site gives its clients a port for the service.
        </Empty>
      ) : (
        <DataTable
          label={`Listeners of ${visibleName(address)}`}
          rows={listeners}
          keyOf={({ siteId, name }) => `${siteId} ${name}`}
          order={{ key: 'site', descending: false }}
          columns={[
            {
              key: 'site',
              title: 'Site',
              render: ({ siteId, siteName }) => <SiteLink id={siteId} name={siteName} />,
              sortBy: ({ siteName }) => siteName,
            },
            { key: 'listener', title: 'Listener', render: ({ name }) => <Name text={name} /> },
            { key: 'port', title: 'Listens at', render: ({ host, port }) => <Name text={`${host}:${port}`} mono />, wideOnly: true },
            ...goldenColumns<ListenerRow>(({ golden }) => golden).filter(({ key }) => key !== 'open'),
          ]}
        />
      )}
      <History of={{ service: address }} />
    </div>
  );
}
