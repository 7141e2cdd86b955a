import type { JSX } from 'preact';
import type { NetworkSnapshot, SiteRow } from '../../../src/flows/network-snapshot.ts';
import { countText, noValue } from '../format/number-text.ts';
import { dateTimeText } from '../format/time-text.ts';
import { visibleName } from '../format/visible-name.ts';
import { patternsText } from '../model/patterns.ts';
import { timeOf, tokenRows, type RevokedSite, type SiteStatus, type TokenRow } from '../model/site-status.ts';
import { matchesSearch } from '../model/table-order.ts';
import { DataTable } from '../parts/data-table.tsx';
import { Facts } from '../parts/facts.tsx';
import { Name } from '../parts/name.tsx';
import { Empty, Failure, Loading, Panel } from '../parts/panel.tsx';
import { SiteLink } from '../parts/site-link.tsx';
import { StateMark } from '../parts/state-mark.tsx';
import { Until } from '../parts/until.tsx';
import { useConsoleState, useNowMs } from '../state/use-console.ts';

/** Who may do what in the network, and by which tokens sites come in. */
export function AccessPage({ snapshot }: { readonly snapshot: NetworkSnapshot }): JSX.Element {
  const site = useConsoleState((state) => state.site);
  const error = useConsoleState(({ siteError }) => siteError);
  return (
    <div class="stack">
      <PolicyPanel snapshot={snapshot} />
      {error === null ? null : <Failure message={error} />}
      {site === null && error === null ? <Loading what="the site" /> : null}
      {site === null ? null : <TokensPanel site={site} />}
      {site === null ? null : <RevokedPanel revoked={site.trust.revokedSites} />}
      {site === null ? null : <TrustPanel site={site} />}
    </div>
  );
}

function PolicyPanel({ snapshot }: { readonly snapshot: NetworkSnapshot }): JSX.Element {
  const search = useConsoleState((state) => state.search);
  const rows = snapshot.sites.filter(({ name, id, advertise, consume }) =>
    matchesSearch(search, [name, id, ...(advertise ?? []), ...(consume ?? [])]),
  );
  return (
    <Panel title="Policy" note="what each site may offer and use" command="van network status">
      {rows.length === 0 ? (
        <Empty title="No site matches the search" />
      ) : (
        <DataTable
          label="What sites may offer and use"
          rows={rows}
          keyOf={({ id }) => id}
          order={{ key: 'site', descending: false }}
          columns={[
            {
              key: 'site',
              title: 'Site',
              className: 'main',
              render: ({ id, name }) => <SiteLink id={id} name={name} />,
              sortBy: ({ name }) => name,
            },
            {
              key: 'trust',
              title: 'Trust',
              render: ({ trust }) => <span class={trust === 'signed' ? '' : 'tone-fair'}>{visibleName(trust)}</span>,
              sortBy: ({ trust }) => trust,
            },
            {
              key: 'advertise',
              title: 'May offer',
              render: (row) => <Patterns site={row} side="advertise" />,
              sortBy: ({ advertise }) => advertise?.join() ?? null,
            },
            {
              key: 'consume',
              title: 'May use',
              render: (row) => <Patterns site={row} side="consume" />,
              sortBy: ({ consume }) => consume?.join() ?? null,
            },
          ]}
        />
      )}
    </Panel>
  );
}

function Patterns({ site, side }: { readonly site: SiteRow; readonly side: 'advertise' | 'consume' }): JSX.Element {
  const patterns = site[side];
  const text = patternsText(patterns);
  if (text === null) return <span class="none">not said</span>;
  return patterns?.includes('*') === true ? <span class="muted">{text}</span> : <span class="pattern">{text}</span>;
}

function TokensPanel({ site }: { readonly site: SiteStatus }): JSX.Element {
  const nowMs = useNowMs();
  const rows = tokenRows(site.resources);
  return (
    <Panel title="Tokens" note={`of ${visibleName(site.site.name)}`} command="van site status">
      {rows.length === 0 ? (
        <Empty title="No token" command="van token issue token.yaml">
          A token lets another site link to this one, once, for a short time.
        </Empty>
      ) : (
        <DataTable
          label="Tokens"
          rows={rows}
          keyOf={({ kind, name }) => `${kind} ${name}`}
          order={{ key: 'name', descending: false }}
          columns={[
            { key: 'name', title: 'Name', className: 'main', render: ({ name }) => <Name text={name} />, sortBy: ({ name }) => name },
            {
              key: 'kind',
              title: 'Kind',
              render: ({ kind }) => (kind === 'AccessGrant' ? 'issued here' : 'redeemed here'),
              sortBy: ({ kind }) => kind,
            },
            { key: 'status', title: 'Status', render: (row) => <TokenState row={row} nowMs={nowMs} />, sortBy: ({ status }) => status },
            {
              key: 'used',
              title: 'Used',
              numeric: true,
              render: ({ redemptions, redemptionsAllowed }) =>
                redemptions === null ? noValue : `${countText(redemptions)} of ${countText(redemptionsAllowed ?? 1)}`,
              sortBy: ({ redemptions }) => redemptions,
            },
            {
              key: 'expires',
              title: 'Ends',
              render: ({ expiresMs }) => <Until atMs={expiresMs} nowMs={nowMs} soonMs={0} />,
              sortBy: ({ expiresMs }) => expiresMs,
            },
            { key: 'url', title: 'Place', wideOnly: true, render: ({ url }) => <Name text={url} mono /> },
          ]}
        />
      )}
    </Panel>
  );
}

function TokenState({ row, nowMs }: { readonly row: TokenRow; readonly nowMs: number }): JSX.Element {
  const { status, message, expiresMs, redemptions, redemptionsAllowed, kind } = row;
  if (kind === 'AccessGrant' && expiresMs !== null && expiresMs < nowMs) return <StateMark tone="none" text="over" />;
  if (kind === 'AccessGrant' && redemptions !== null && redemptionsAllowed !== null && redemptions >= redemptionsAllowed)
    return <StateMark tone="none" text="used up" />;
  const tone = status === 'Error' ? 'poor' : status === 'Pending' ? 'fair' : 'good';
  return (
    <span title={visibleName(message)}>
      <StateMark tone={tone} text={visibleName(status).toLowerCase()} />
    </span>
  );
}

function RevokedPanel({ revoked }: { readonly revoked: readonly RevokedSite[] }): JSX.Element {
  return (
    <Panel title="Revoked sites" note={revoked.length === 0 ? 'none' : countText(revoked.length)} command="van network status">
      {revoked.length === 0 ? (
        <p class="hint padded">No site was shut out of the network. An issuer does it with “van site revoke SITE”.</p>
      ) : (
        <DataTable
          label="Revoked sites"
          rows={revoked}
          keyOf={({ routerId }) => routerId}
          columns={[
            { key: 'name', title: 'Site', className: 'main', render: ({ name }) => <Name text={name} />, sortBy: ({ name }) => name },
            { key: 'router', title: 'Router', render: ({ routerId }) => <Name text={routerId} mono /> },
            {
              key: 'at',
              title: 'When',
              render: ({ revokedAt }) => {
                const atMs = timeOf(revokedAt);
                return atMs === null ? visibleName(revokedAt) : dateTimeText(atMs);
              },
              sortBy: ({ revokedAt }) => revokedAt,
            },
            { key: 'reason', title: 'Why', render: ({ reason }) => <Name text={reason} /> },
            { key: 'by', title: 'By', render: ({ by }) => <Name text={by ?? 'the network’s root'} /> },
          ]}
        />
      )}
    </Panel>
  );
}

function TrustPanel({ site }: { readonly site: SiteStatus }): JSX.Element {
  const nowMs = useNowMs();
  const { trust } = site;
  const state = { none: 'in no network', founder: 'founded the network', member: 'member of the network' }[trust.state];
  return (
    <Panel title="This site" note={visibleName(site.site.name)} command="van site status">
      <div class="padded">
        <Facts
          rows={[
            ['Standing', state],
            ['Network', trust.networkId === null ? null : <Name key="network" text={trust.networkId} mono />],
            ['Router', <Name key="router" text={site.site.routerId} mono />],
            ['Certificate', <Until key="leaf" atMs={timeOf(trust.leafExpires)} nowMs={nowMs} />],
            [
              'Membership',
              trust.membershipEnds === null ? null : (
                <Until key="membership" atMs={timeOf(trust.membershipEnds)} nowMs={nowMs} soonMs={7 * 86_400_000} />
              ),
            ],
            ['May issue tokens', trust.mayIssue ? 'yes' : 'no'],
            ['Signs what it says', trust.signs ? 'yes' : 'no'],
            ['Version', visibleName(site.version)],
          ]}
        />
      </div>
    </Panel>
  );
}
