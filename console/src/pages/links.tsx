import type { JSX } from 'preact';
import type { LinkRow, NetworkSnapshot } from '../../../src/flows/network-snapshot.ts';
import { byteRateText, countText, noValue, percentText } from '../format/number-text.ts';
import { durationText, spanText } from '../format/time-text.ts';
import { matchesSearch } from '../model/table-order.ts';
import { DataTable } from '../parts/data-table.tsx';
import { Icon } from '../parts/icon.tsx';
import { Name } from '../parts/name.tsx';
import { Empty, Panel } from '../parts/panel.tsx';
import { StateMark } from '../parts/state-mark.tsx';
import { useConsole, useConsoleState } from '../state/use-console.ts';
import { LinkDetail } from './link-detail.tsx';

export function LinksPage({ snapshot }: { readonly snapshot: NetworkSnapshot }): JSX.Element {
  const owner = useConsole();
  const openId = useConsoleState(({ route }) => route.parameters['link'] ?? null);
  const search = useConsoleState((state) => state.search);
  const { atMs: nowMs, links } = snapshot;
  const rows = links.filter(({ name, fromName, toName, state }) => matchesSearch(search, [name, fromName, toName, state]));
  const open = links.find(({ id }) => id === openId);
  const down = links.filter(({ state }) => state === 'down').length;
  return (
    <div class="with-detail">
      <Panel title="Links" note={`${countText(rows.length)}${down === 0 ? '' : `, ${countText(down)} down`}`} command="van gateways">
        {links.length === 0 ? (
          <Empty title="No link yet" command="van token issue token.yaml">
            A site that accepts links issues a token; another redeems it with “van token redeem token.yaml”.
          </Empty>
        ) : rows.length === 0 ? (
          <Empty title="No link matches the search" />
        ) : (
          <DataTable
            label="Links"
            rows={rows}
            keyOf={({ id }) => id}
            order={{ key: 'from', descending: false }}
            openKey={openId}
            onOpen={({ id }) => owner.setParameters({ link: id === openId ? '' : id })}
            columns={[
              {
                key: 'from',
                title: 'From → to',
                className: 'main',
                render: (link) => <Ends link={link} />,
                sortBy: ({ fromName, toName }) => `${fromName} ${toName}`,
              },
              {
                key: 'state',
                title: 'State',
                render: ({ state }) => <StateMark tone={state === 'up' ? 'good' : 'poor'} text={state} />,
                sortBy: ({ state }) => state,
              },
              { key: 'cost', title: 'Cost', numeric: true, render: ({ cost }) => countText(cost), sortBy: ({ cost }) => cost },
              {
                key: 'rtt',
                title: 'Round trip',
                numeric: true,
                render: ({ roundTripMs }) => durationText(roundTripMs),
                sortBy: ({ roundTripMs }) => roundTripMs,
              },
              {
                key: 'loss',
                title: 'Loss',
                numeric: true,
                wideOnly: true,
                hint: 'Probes without an answer',
                render: ({ lossRatio }) => (lossRatio === null ? noValue : percentText(lossRatio)),
                sortBy: ({ lossRatio }) => lossRatio,
              },
              {
                key: 'up',
                title: 'Up for',
                numeric: true,
                render: ({ upSinceMs }) => (upSinceMs === null ? noValue : spanText(nowMs - upSinceMs)),
                sortBy: ({ upSinceMs }) => (upSinceMs === null ? null : -upSinceMs),
              },
              {
                key: 'downs',
                title: 'Went down',
                numeric: true,
                wideOnly: true,
                render: ({ downCount }) => countText(downCount),
                sortBy: ({ downCount }) => downCount,
              },
              {
                key: 'out',
                title: 'Traffic →',
                numeric: true,
                wideOnly: true,
                render: ({ bytesPerSecond }) => byteRateText(bytesPerSecond),
                sortBy: ({ bytesPerSecond }) => bytesPerSecond,
              },
              {
                key: 'in',
                title: 'Traffic ←',
                numeric: true,
                wideOnly: true,
                render: ({ bytesReversePerSecond }) => byteRateText(bytesReversePerSecond),
                sortBy: ({ bytesReversePerSecond }) => bytesReversePerSecond,
              },
            ]}
          />
        )}
      </Panel>
      {open === undefined ? null : <LinkDetail link={open} onClose={() => owner.setParameters({ link: '' })} />}
    </div>
  );
}

function Ends({ link }: { readonly link: LinkRow }): JSX.Element {
  return (
    <span class="way-text">
      <Name text={link.fromName} />
      {link.directionKnown ? <Icon name="arrow" size={12} /> : <span aria-hidden="true">–</span>}
      <Name text={link.toName} />
    </span>
  );
}
