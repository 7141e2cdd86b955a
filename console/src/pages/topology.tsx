import type { JSX } from 'preact';
import type { NetworkSnapshot } from '../../../src/flows/network-snapshot.ts';
import { FlowMap } from '../graph/flow-map.tsx';
import { NetworkMap } from '../graph/network-map.tsx';
import { commandLine } from '../format/command-line.ts';
import { matchesSearch } from '../model/table-order.ts';
import { windowOption, windowText } from '../model/time-window.ts';
import { CliCommand } from '../parts/cli-command.tsx';
import { Empty } from '../parts/panel.tsx';
import { Segments } from '../parts/segments.tsx';
import { WindowChoice } from '../parts/window-choice.tsx';
import { useConsole, useConsoleState } from '../state/use-console.ts';
import { EdgeTable } from './edge-table.tsx';
import { LinkDetail } from './link-detail.tsx';
import { NetworkTotals } from './network-totals.tsx';
import { Overview } from './overview.tsx';
import { ServiceDetail } from './service-detail.tsx';
import { SiteDetail } from './site-detail.tsx';

const views = [
  { value: 'sites', text: 'Sites' },
  { value: 'services', text: 'Who talks to whom' },
] as const;
type View = (typeof views)[number]['value'];

/** The network at a glance, and what is known about the part of it that is selected. */
export function TopologyPage({ snapshot }: { readonly snapshot: NetworkSnapshot }): JSX.Element {
  const owner = useConsole();
  const { parameters } = useConsoleState(({ route }) => route);
  const search = useConsoleState((state) => state.search);
  const view: View = parameters['view'] === 'services' ? 'services' : 'sites';
  const select = (change: Readonly<Record<string, string>>): void => owner.setParameters({ site: '', link: '', service: '', ...change });
  const site = snapshot.sites.find(({ id }) => id === parameters['site']);
  const link = snapshot.links.find(({ id }) => id === parameters['link']);
  const service = snapshot.services.find(({ address }) => address === parameters['service']);
  const edges = snapshot.edges.filter((edge) => matchesSearch(search, [edge.address, edge.sourceName, edge.destName]));
  const command =
    view === 'services' ? commandLine(['van', 'edges'], { t: windowOption(snapshot.windowMs) }) : commandLine(['van', 'network', 'status']);
  return (
    <div class="topology">
      <NetworkTotals snapshot={snapshot} />
      <div class="topology-body">
        <section class="topology-map" aria-label="Topology">
          <header class="map-head">
            <Segments
              label="View"
              options={views}
              value={view}
              onChange={(value) => owner.setParameters({ view: value === 'sites' ? '' : value, link: '', service: '' })}
            />
            <WindowChoice />
            <CliCommand command={command} />
          </header>
          {view === 'sites' ? (
            <NetworkMap
              snapshot={snapshot}
              search={search}
              selectedSite={site?.id ?? null}
              selectedLink={link?.id ?? null}
              onSite={(id) => select({ site: id ?? '' })}
              onLink={(id) => select({ link: id })}
            />
          ) : edges.length === 0 ? (
            <Empty title={search === '' ? 'Nobody talks to anybody right now' : 'No edge matches the search'} command="van edges">
              An edge is shown for each site whose clients use a service of a site, within the last {windowText(snapshot.windowMs)}.
            </Empty>
          ) : (
            <div class="flow-scroll">
              <FlowMap
                edges={edges}
                selectedSite={site?.id ?? null}
                selectedService={service?.address ?? null}
                onSite={(id) => select({ site: id ?? '' })}
                onService={(address) => select({ service: address ?? '' })}
              />
              <EdgeTable edges={edges} />
            </div>
          )}
        </section>
        {site !== undefined ? (
          <SiteDetail site={site} snapshot={snapshot} onClose={() => select({})} />
        ) : link !== undefined ? (
          <LinkDetail link={link} onClose={() => select({})} />
        ) : service !== undefined ? (
          <ServiceDetail service={service} onClose={() => select({})} />
        ) : (
          <Overview snapshot={snapshot} />
        )}
      </div>
    </div>
  );
}
