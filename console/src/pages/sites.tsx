import type { JSX } from 'preact';
import type { NetworkSnapshot, SiteRow } from '../../../src/flows/network-snapshot.ts';
import { countText } from '../format/number-text.ts';
import { visibleName } from '../format/visible-name.ts';
import { isFoundSite } from '../model/table-order.ts';
import { DataTable } from '../parts/data-table.tsx';
import { Success } from '../parts/golden-columns.tsx';
import { shortNumber } from '../format/number-text.ts';
import { durationText } from '../format/time-text.ts';
import { Name } from '../parts/name.tsx';
import { Empty, Panel } from '../parts/panel.tsx';
import { StateMark } from '../parts/state-mark.tsx';
import { Until } from '../parts/until.tsx';
import { useConsole, useConsoleState } from '../state/use-console.ts';
import { SiteDetail } from './site-detail.tsx';

const weekMs = 7 * 86_400_000;
const relationRanks = { self: 0, direct: 1, indirect: 2 } as const;

export function SitesPage({ snapshot }: { readonly snapshot: NetworkSnapshot }): JSX.Element {
  const owner = useConsole();
  const openId = useConsoleState(({ route }) => route.parameters['site'] ?? null);
  const search = useConsoleState((state) => state.search);
  const { atMs: nowMs, sites } = snapshot;
  const rows = sites.filter((site) => isFoundSite(search, site));
  const open = sites.find(({ id }) => id === openId);
  return (
    <div class="with-detail">
      <Panel title="Sites" note={countText(rows.length)} command="van network status">
        {rows.length === 0 ? (
          <Empty title={sites.length === 0 ? 'No site is known yet' : 'No site matches the search'} />
        ) : (
          <DataTable
            label="Sites"
            rows={rows}
            keyOf={({ id }) => id}
            order={{ key: 'site', descending: false }}
            openKey={openId}
            onOpen={({ id }) => owner.setParameters({ site: id === openId ? '' : id })}
            columns={[
              { key: 'site', title: 'Site', className: 'main', render: ({ name }) => <Name text={name} />, sortBy: ({ name }) => name },
              {
                key: 'state',
                title: 'State',
                render: ({ state }) => <StateMark tone={state === 'up' ? 'good' : 'none'} text={state} />,
                sortBy: ({ state }) => state,
              },
              {
                key: 'relation',
                title: 'Reached',
                render: (site) => <Relation site={site} />,
                sortBy: ({ relation, cost }) => relationRanks[relation] * 1e6 + cost,
              },
              {
                key: 'cost',
                title: 'Cost',
                numeric: true,
                wideOnly: true,
                render: ({ cost }) => countText(cost),
                sortBy: ({ cost }) => cost,
              },
              {
                key: 'trust',
                title: 'Trust',
                render: ({ trust }) => <span class={trust === 'signed' ? '' : 'tone-fair'}>{visibleName(trust)}</span>,
                sortBy: ({ trust }) => trust,
              },
              {
                key: 'version',
                title: 'Version',
                wideOnly: true,
                render: ({ platform, version }) => (
                  <span title={platform === null ? undefined : visibleName(platform)}>
                    <Name text={version} />
                  </span>
                ),
                sortBy: ({ version }) => version,
              },
              {
                key: 'location',
                title: 'Location',
                widestOnly: true,
                render: ({ location }) => <Name text={location} />,
                sortBy: ({ location }) => location,
              },
              {
                key: 'certificate',
                title: 'Certificate',
                hint: 'When the site’s certificate ends; it renews by itself before',
                render: ({ certificateEndsMs }) => <Until atMs={certificateEndsMs} nowMs={nowMs} />,
                sortBy: ({ certificateEndsMs }) => certificateEndsMs,
              },
              {
                key: 'membership',
                title: 'Membership',
                hint: 'When the site’s membership of the network ends',
                wideOnly: true,
                render: ({ membershipEndsMs }) => <Until atMs={membershipEndsMs} nowMs={nowMs} soonMs={weekMs} />,
                sortBy: ({ membershipEndsMs }) => membershipEndsMs,
              },
              {
                key: 'serves',
                title: 'Serves',
                numeric: true,
                wideOnly: true,
                hint: 'Requests a second to servers of the site',
                render: ({ inbound }) => shortNumber(inbound.perSecond),
                sortBy: ({ inbound }) => inbound.perSecond,
              },
              {
                key: 'success',
                title: 'Success',
                numeric: true,
                render: ({ inbound }) => <Success ratio={inbound.successRatio} />,
                sortBy: ({ inbound }) => inbound.successRatio,
              },
              {
                key: 'p95',
                title: 'P95',
                numeric: true,
                widestOnly: true,
                render: ({ inbound }) => durationText(inbound.p95Ms),
                sortBy: ({ inbound }) => inbound.p95Ms,
              },
              {
                key: 'sends',
                title: 'Sends',
                numeric: true,
                wideOnly: true,
                hint: 'Requests a second of clients of the site',
                render: ({ outbound }) => shortNumber(outbound.perSecond),
                sortBy: ({ outbound }) => outbound.perSecond,
              },
            ]}
          />
        )}
      </Panel>
      {open === undefined ? null : <SiteDetail site={open} snapshot={snapshot} onClose={() => owner.setParameters({ site: '' })} />}
    </div>
  );
}

function Relation({ site }: { readonly site: SiteRow }): JSX.Element {
  if (site.relation === 'self') return <>here</>;
  if (site.relation === 'direct') return <>directly</>;
  return (
    <span class="by-text">
      by <Name text={site.nextHop} />
    </span>
  );
}
