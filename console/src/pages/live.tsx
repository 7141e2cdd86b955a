import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { NetworkSnapshot, RequestRow } from '../../../src/flows/network-snapshot.ts';
import { countText } from '../format/number-text.ts';
import { filterOf, isFiltered, matchesFilter, tapCommand } from '../model/request-filter.ts';
import { matchesSearch } from '../model/table-order.ts';
import { Icon } from '../parts/icon.tsx';
import { Empty, Panel } from '../parts/panel.tsx';
import { RequestFilters } from '../parts/request-filters.tsx';
import { RequestTable } from '../parts/request-table.tsx';
import { useConsole, useConsoleState } from '../state/use-console.ts';
import { RequestDetail } from './request-detail.tsx';

/** Rows on the page; more are read among the earlier requests. */
const shownLimit = 100;

/** Requests and connections as they come. */
export function LivePage({ snapshot }: { readonly snapshot: NetworkSnapshot }): JSX.Element {
  const owner = useConsole();
  const { parameters } = useConsoleState(({ route }) => route);
  const search = useConsoleState((state) => state.search);
  const coming = useConsoleState(({ liveRequests }) => liveRequests);
  const untold = useConsoleState(({ untoldRequests }) => untoldRequests);
  const [held, setHeld] = useState<readonly RequestRow[] | null>(null);
  const [isHeldForDetail, setHeldForDetail] = useState(false);
  const openId = parameters['request'] ?? null;
  const filter = filterOf(parameters);

  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      if (event.key !== 'p' || event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
      setHeld((before) => (before === null ? owner.store.state.liveRequests : null));
    };
    addEventListener('keydown', onKeyDown);
    return () => removeEventListener('keydown', onKeyDown);
  }, [owner]);

  const matches = (row: RequestRow): boolean =>
    matchesFilter(row, filter) && matchesSearch(search, [row.address, row.path, row.client, row.sourceSite, row.destSite, row.requestId]);
  const rows = (held ?? coming)
    .filter(matches)
    .sort((a, b) => b.startMs - a.startMs)
    .slice(0, shownLimit);
  const last = held?.at(-1);
  const waiting =
    held === null ? 0 : coming.slice(last === undefined ? 0 : coming.findIndex(({ id }) => id === last.id) + 1).filter(matches).length;
  const pause = (rows: readonly RequestRow[] | null): void => {
    setHeld(rows);
    setHeldForDetail(false);
  };
  // What was held for a look goes on when the look is over.
  const close = (): void => {
    if (isHeldForDetail) pause(null);
    owner.setParameters({ request: '' });
  };
  const open = (row: RequestRow): void => {
    if (held === null) {
      setHeld(coming);
      setHeldForDetail(true);
    }
    if (row.id === openId) close();
    else owner.setParameters({ request: row.id });
  };
  return (
    <div class="with-detail">
      <Panel
        title="Live requests"
        note={untold === 0 ? `${countText(rows.length)} shown` : `${countText(rows.length)} shown, ${countText(untold)} left out`}
        command={tapCommand(filter)}
        tools={
          <button
            type="button"
            class="tool-button pause"
            aria-pressed={held !== null}
            title="Pause (p)"
            onClick={() => pause(held === null ? coming : null)}
          >
            <Icon name={held === null ? 'pause' : 'play'} size={14} />
            {held === null ? 'Pause' : 'Resume'}
            <span class="pause-count">{held === null ? '' : waiting === 0 ? '' : `+${countText(waiting)}`}</span>
          </button>
        }
      >
        <RequestFilters
          filter={filter}
          services={snapshot.services.map(({ address }) => address)}
          sites={snapshot.sites.map(({ name }) => name)}
          onChange={(change) => owner.setParameters(change)}
        />
        {rows.length === 0 ? (
          <Empty title={isFiltered(filter) || search !== '' ? 'No request matches yet' : 'No request yet'} command={tapCommand(filter)}>
            Requests and connections appear here while they happen. Send one to a port of a listener.
          </Empty>
        ) : (
          <RequestTable label="Live requests, newest first" rows={rows} openId={openId} onOpen={open} />
        )}
      </Panel>
      {openId === null ? null : <RequestDetail id={openId} row={rows.find(({ id }) => id === openId) ?? null} onClose={close} />}
    </div>
  );
}

export function isTyping({ target }: KeyboardEvent): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement;
}
