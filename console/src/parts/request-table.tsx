import type { JSX } from 'preact';
import type { RequestRow } from '../../../src/flows/network-snapshot.ts';
import { bytesText } from '../format/number-text.ts';
import { dateTimeText, durationText, momentText } from '../format/time-text.ts';
import { visibleName } from '../format/visible-name.ts';
import { outcomeOf } from '../model/request-filter.ts';
import { DataTable } from './data-table.tsx';
import { Name } from './name.tsx';

interface RequestTableProperties {
  readonly label: string;
  /** In the order in which they are shown. */
  readonly rows: readonly RequestRow[];
  readonly openId: string | null;
  readonly onOpen: (row: RequestRow) => void;
}

export function RequestTable({ label, rows, openId, onOpen }: RequestTableProperties): JSX.Element {
  const nowMs = Date.now();
  return (
    <DataTable
      label={label}
      className="requests"
      rows={rows}
      keyOf={({ id }) => id}
      openKey={openId}
      onOpen={onOpen}
      columns={[
        {
          key: 'time',
          title: 'Time',
          className: 'time',
          render: ({ startMs }) => (
            <time dateTime={new Date(startMs).toISOString()} title={dateTimeText(startMs)}>
              {momentText(startMs, nowMs)}
            </time>
          ),
        },
        { key: 'status', title: 'Status', className: 'outcome', render: (row) => <OutcomeMark row={row} /> },
        { key: 'service', title: 'Service', className: 'service', render: ({ address }) => <Name text={address} /> },
        { key: 'what', title: 'Request', className: 'what', render: (row) => <What row={row} /> },
        {
          key: 'duration',
          title: 'First byte',
          numeric: true,
          hint: 'Until the first byte of the answer',
          render: ({ firstByteMs, durationMs }) => durationText(firstByteMs ?? durationMs),
        },
        { key: 'way', title: 'From → to', className: 'way', render: (row) => <Way row={row} /> },
        { key: 'bytes', title: 'Answer', numeric: true, wideOnly: true, render: ({ bytesToClient }) => bytesText(bytesToClient) },
      ]}
    />
  );
}

export function OutcomeMark({ row }: { readonly row: RequestRow }): JSX.Element {
  const { text, tone } = outcomeOf(row);
  return (
    <span class={`outcome-mark tone-${tone}`} title={row.error === null ? undefined : visibleName(row.error)}>
      {visibleName(text)}
    </span>
  );
}

/** Method and path, or the kind of connection. */
export function What({ row }: { readonly row: RequestRow }): JSX.Element {
  const { kind, method, path, protocol, client } = row;
  if (kind === 'connection') {
    return (
      <span class="what-text">
        <span class="method">{visibleName(protocol)}</span>
        <Name text={client} mono />
      </span>
    );
  }
  return (
    <span class="what-text">
      <span class="method">{visibleName(method ?? protocol)}</span>
      <Name text={path ?? row.authority} mono />
    </span>
  );
}

function Way({ row }: { readonly row: RequestRow }): JSX.Element {
  const hops = row.trace.length;
  return (
    <span class="way-text">
      <Name text={row.sourceSite} />
      <span aria-hidden="true">→</span>
      <Name text={row.destSite} />
      {row.tries > 1 ? (
        <span class="tries tone-fair">{row.tries} tries</span>
      ) : hops > 2 ? (
        <span class="tries">{hops - 1} hops</span>
      ) : null}
    </span>
  );
}
