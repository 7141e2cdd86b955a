import type { JSX } from 'preact';
import type { NetworkSnapshot, ServiceRow } from '../../../src/flows/network-snapshot.ts';
import { commandLine } from '../format/command-line.ts';
import { countText } from '../format/number-text.ts';
import { visibleName } from '../format/visible-name.ts';
import { matchesSearch } from '../model/table-order.ts';
import { windowOption, windowText } from '../model/time-window.ts';
import { DataTable } from '../parts/data-table.tsx';
import { goldenColumns } from '../parts/golden-columns.tsx';
import { RateSparkline } from '../parts/history.tsx';
import { Name } from '../parts/name.tsx';
import { Empty, Panel } from '../parts/panel.tsx';
import { SplitBar } from '../parts/share-bar.tsx';
import { WindowChoice } from '../parts/window-choice.tsx';
import { useConsole, useConsoleState } from '../state/use-console.ts';
import { ServiceDetails } from './service-details.tsx';

/** Each sparkline is a question to the observer: with more services than this they are left to the details. */
const sparklineLimit = 60;

export function ServicesPage({ snapshot }: { readonly snapshot: NetworkSnapshot }): JSX.Element {
  const owner = useConsole();
  const open = useConsoleState(({ route }) => route.parameters['open'] ?? null);
  const search = useConsoleState((state) => state.search);
  const { services, windowMs } = snapshot;
  const found = services.filter(({ address, protocols, servers, listeners }) =>
    matchesSearch(search, [
      address,
      ...protocols,
      ...servers.map(({ siteName }) => siteName),
      ...listeners.map(({ siteName }) => siteName),
    ]),
  );
  return (
    <Panel
      title="Services"
      note={`${countText(found.length)} · last ${windowText(windowMs)}`}
      tools={<WindowChoice />}
      command={commandLine(['van', 'stat'], { t: windowOption(windowMs) })}
    >
      {services.length === 0 ? (
        <Empty title="No service yet" command="van connector create web 8080">
          Offer a server to the network under a name; a listener at another site then gives its clients a port for it.
        </Empty>
      ) : found.length === 0 ? (
        <Empty title="No service matches the search" />
      ) : (
        <DataTable
          label="Services"
          className="services"
          rows={found}
          keyOf={({ address }) => address}
          order={{ key: 'service', descending: false }}
          openKey={open}
          onOpen={({ address }) => owner.setParameters({ open: address === open ? '' : address })}
          details={(service) => <ServiceDetails service={service} />}
          columns={[
            {
              key: 'service',
              title: 'Service',
              className: 'main',
              render: ({ address }) => <Name text={address} />,
              sortBy: ({ address }) => address,
            },
            {
              key: 'protocol',
              title: 'Protocol',
              render: ({ protocols }) => protocols.map(visibleName).join(', ') || '–',
              sortBy: ({ protocols }) => protocols.join(),
              wideOnly: true,
            },
            ...goldenColumns<ServiceRow>(({ golden }) => golden),
            {
              key: 'trend',
              title: '15 min',
              hint: 'Requests a second in the last 15 minutes',
              wideOnly: true,
              render: ({ address }) => (found.length <= sparklineLimit ? <RateSparkline of={{ service: address }} /> : null),
            },
            {
              key: 'servers',
              title: 'Servers',
              render: (service) => <Servers service={service} />,
              sortBy: ({ servers }) => servers.length,
            },
          ]}
        />
      )}
    </Panel>
  );
}

function Servers({ service }: { readonly service: ServiceRow }): JSX.Element {
  const { servers } = service;
  if (servers.length === 0) return <span class="tone-fair">none</span>;
  return (
    <span class="servers-cell">
      <span class="servers-count">{countText(servers.length)}</span>
      <SplitBar shares={servers.map(({ siteName, connector, share }) => ({ label: visibleName(`${connector} at ${siteName}`), share }))} />
    </span>
  );
}
