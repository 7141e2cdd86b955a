import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { NetworkSnapshot, RequestRow } from '../../../src/flows/network-snapshot.ts';
import { countText } from '../format/number-text.ts';
import { completeFilter, filterOf, isFiltered, tapCommand } from '../model/request-filter.ts';
import { matchesSearch } from '../model/table-order.ts';
import { Empty, Failure, Loading, Panel } from '../parts/panel.tsx';
import { RequestFilters } from '../parts/request-filters.tsx';
import { RequestTable } from '../parts/request-table.tsx';
import { Segments } from '../parts/segments.tsx';
import { useAnswer, useConsole, useConsoleState } from '../state/use-console.ts';
import { RequestDetail } from './request-detail.tsx';

const pageSize = 100;
const kinds = [
  { value: 'all', text: 'All' },
  { value: 'request', text: 'Requests' },
  { value: 'connection', text: 'Connections' },
] as const;
type KindChoice = (typeof kinds)[number]['value'];

/** Requests and connections that the observer kept, page by page into the past. */
export function RequestsPage({ snapshot }: { readonly snapshot: NetworkSnapshot }): JSX.Element {
  const owner = useConsole();
  const { parameters } = useConsoleState(({ route }) => route);
  const search = useConsoleState((state) => state.search);
  const [kind, setKind] = useState<KindChoice>('all');
  const [again, setAgain] = useState(0);
  const before = parameters['before'] ?? '';
  const openId = parameters['request'] ?? null;
  const filter = filterOf(parameters);
  const { value, error, loading } = useAnswer<{ readonly requests: readonly RequestRow[]; readonly older: string | null }>(
    'requests',
    {
      ...completeFilter(filter),
      kind: kind === 'all' ? '' : kind,
      limit: String(pageSize),
      before,
    },
    0,
    again,
  );
  const page = value?.requests ?? [];
  const rows = page
    .filter((row) => matchesSearch(search, [row.address, row.path, row.client, row.sourceSite, row.destSite, row.requestId]))
    .sort((a, b) => b.startMs - a.startMs);
  const older = value?.older ?? null;
  return (
    <div class="with-detail">
      <Panel
        title="Requests and connections"
        note={value === null ? '' : `${countText(rows.length)} on this page`}
        command={tapCommand(filter)}
        tools={<Segments label="Kind" options={kinds} value={kind} onChange={setKind} />}
      >
        <RequestFilters
          filter={filter}
          services={snapshot.services.map(({ address }) => address)}
          sites={snapshot.sites.map(({ name }) => name)}
          onChange={(change) => owner.setParameters({ ...change, before: '' })}
        />
        {error === null ? null : <Failure message={error} />}
        {value === null && loading ? <Loading what="requests" /> : null}
        {value !== null && rows.length === 0 ? (
          <Empty
            title={isFiltered(filter) || search !== '' ? 'No request matches' : before === '' ? 'No request yet' : 'Nothing older is kept'}
            command={tapCommand(filter)}
          >
            The observer keeps single requests while it runs, as long as its retention allows.
          </Empty>
        ) : null}
        {rows.length === 0 ? null : (
          <RequestTable
            label="Requests, newest first"
            rows={rows}
            openId={openId}
            onOpen={(row) => owner.setParameters({ request: row.id === openId ? '' : row.id })}
          />
        )}
        <nav class="pager" aria-label="Pages">
          <button
            type="button"
            class="tool-button"
            onClick={() => {
              setAgain(again + 1);
              owner.setParameters({ before: '' });
            }}
          >
            {before === '' ? 'Refresh' : 'Newest'}
          </button>
          <button
            type="button"
            class="tool-button"
            disabled={older === null}
            onClick={() => owner.setParameters({ before: older ?? '' }, false)}
          >
            Older
          </button>
        </nav>
      </Panel>
      {openId === null ? null : (
        <RequestDetail
          id={openId}
          row={rows.find(({ id }) => id === openId) ?? null}
          onClose={() => owner.setParameters({ request: '' })}
        />
      )}
    </div>
  );
}
